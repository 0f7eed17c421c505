#!/bin/sh
# more_kinds.sh - servers of further kinds, most of them frameworks of scripting languages: each answers a real client, as it is, and
# as an image with a kernel of its own, built from what `pith learn` saw.
. tests/apps/lib

python='--package libpython3.11-minimal --package libpython3.11-stdlib'
get='curl -sf --max-time 10 http://127.0.0.1:PORT'
mkdir app

# Perl: Mojolicious's own server, and a PSGI application in the server that comes with Plack.
cat >app/mojo.pl <<'P'
use Mojolicious::Lite -signatures;
get '/json/:word' => sub ($c) { $c->render(json => { word => $c->param('word'), sum => eval join '+', 1 .. 100 }) };
app->secrets(['x'])->start;
P
serve_learned mojolicious 0 '"sum":5050.*"word":"abc"' "$get/json/abc" \
    -- -p PORT:8080 -m 128M --package perl-base --package perl-modules-5.36 --package libperl5.36 --package libmojolicious-perl -a app:/app \
    /usr/bin/perl /app/mojo.pl daemon -m production -l 'http://*:8080'
cat >app/app.psgi <<'P'
sub { my $e = shift; [200, ['Content-Type' => 'text/plain'], ["plack $e->{PATH_INFO}\n"]] };
P
serve_learned plackup 143 '^plack /abc$' "$get/abc" \
    -- -p PORT:8080 -m 128M --package perl-base --package perl-modules-5.36 --package libperl5.36 --package libplack-perl --package libdevel-stacktrace-perl \
    --package libdevel-stacktrace-ashtml-perl --package libfilesys-notify-simple-perl --package libhash-multivalue-perl --package libhttp-message-perl --package libhttp-date-perl \
    --package liburi-perl --package libtry-tiny-perl --package libstream-buffered-perl --package libcookie-baker-perl --package libhttp-entity-parser-perl \
    --package libwww-form-urlencoded-perl --package libapache-logformat-compiler-perl --package libposix-strftime-compiler-perl --package libhttp-headers-fast-perl \
    --package libhttp-multipartparser-perl --package libjson-maybexs-perl --package libtimedate-perl --package libencode-locale-perl --package libio-html-perl --package liblwp-mediatypes-perl -a app:/app \
    /usr/bin/perl /usr/bin/plackup -s HTTP::Server::PSGI --port 8080 /app/app.psgi

# Python: greenlets, threads, asyncio, an ORM's framework.
cat >app/gevent_app.py <<'P'
import gevent.monkey; gevent.monkey.patch_all()
from gevent.pywsgi import WSGIServer
import gevent
def app(e, start):
    start('200 OK', [('Content-Type', 'text/plain')])
    total = sum(g.value for g in gevent.joinall([gevent.spawn(lambda n=n: n) for n in range(100)]))
    return [b'%d %s\n' % (total, e['PATH_INFO'].encode())]
WSGIServer(('0.0.0.0', 8080), app, log=None).serve_forever()
P
# shellcheck disable=SC2086
serve_learned gevent 143 '^4950 /some$' "$get/some" \
    -- -p PORT:8080 -m 128M $python --package python3-gevent --package python3-greenlet --package python3-zope.event --package python3-zope.interface --package python3-pkg-resources -a app:/app /usr/bin/python3 /app/gevent_app.py
cat >app/cherry.py <<'P'
import cherrypy
class Root:
    @cherrypy.expose
    def hello(self, name):
        cherrypy.engine.wait(cherrypy.engine.states.STARTED)  # a SIGTERM before that ends it with 70
        return 'cherry ' + name
cherrypy.quickstart(Root(), config={'global': {'server.socket_host': '0.0.0.0', 'server.socket_port': 8080, 'engine.autoreload.on': False, 'log.screen': False}})
P
# shellcheck disable=SC2086
serve_learned cherrypy 0 '^cherry me$' "$get/hello/me" \
    -- -p PORT:8080 -m 128M $python --package python3-cherrypy3 --package python3-cheroot --package python3-jaraco.classes --package python3-jaraco.collections \
    --package python3-jaraco.context --package python3-jaraco.functools --package python3-jaraco.text --package python3-more-itertools --package python3-pkg-resources \
    --package python3-portend --package python3-tempora --package python3-zc.lockfile --package python3-autocommand --package python3-inflect --package python3-tz -a app:/app /usr/bin/python3 /app/cherry.py
cat >app/flask_app.py <<'P'
import flask, threading
app = flask.Flask(__name__)
@app.get('/hello/<name>')
def hello(name): return flask.jsonify(name=name, threads=threading.active_count() > 1)
app.run('0.0.0.0', 8080, threaded=True)
P
# shellcheck disable=SC2086
serve_learned flask 143 '"name":"me","threads":true' "$get/hello/me" \
    -- -p PORT:8080 -m 128M $python --package python3-flask --package python3-werkzeug --package python3-jinja2 --package python3-markupsafe --package python3-click \
    --package python3-itsdangerous --package python3-colorama -a app:/app /usr/bin/python3 /app/flask_app.py
cat >app/asgi.py <<'P'
import asyncio, hypercorn.asyncio, hypercorn.config
async def app(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-type', b'text/plain')]})
        await send({'type': 'http.response.body', 'body': ('asgi %s %s\n' % (scope['http_version'], scope['path'])).encode()})
config = hypercorn.config.Config()
config.bind = ['0.0.0.0:8080']
asyncio.run(hypercorn.asyncio.serve(app, config))
P
# shellcheck disable=SC2086
serve_learned hypercorn 0 '^asgi 2 /abc$' "curl -sf --http2-prior-knowledge --max-time 10 http://127.0.0.1:PORT/abc" \
    -- -p PORT:8080 -m 128M $python --package python3-hypercorn --package python3-h11 --package python3-h2 --package python3-hpack --package python3-hyperframe \
    --package python3-priority --package python3-toml --package python3-wsproto -a app:/app /usr/bin/python3 /app/asgi.py
cat >app/django_app.py <<'P'
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import JsonResponse
from django.urls import path
settings.configure(DEBUG=False, SECRET_KEY='x', ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'], DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': '/tmp/db'}})
def count(request, n):
    from django.db import connection
    with connection.cursor() as c:
        c.execute('with recursive t(x) as (select 1 union all select x + 1 from t where x < %s) select sum(x) from t', [n])
        return JsonResponse({'sum': c.fetchone()[0]})
urlpatterns = [path('sum/<int:n>', count)]
execute_from_command_line(['manage.py', 'runserver', '--noreload', '0.0.0.0:8080'])
P
# shellcheck disable=SC2086
serve_learned django 143 '"sum": 500500' "$get/sum/1000" \
    -- -p PORT:8080 -m 128M $python --package python3-django --package python3-asgiref --package python3-sqlparse --package python3-tz --package python3-colorama --package tzdata -a app:/app \
    /usr/bin/python3 /app/django_app.py

# Repositories.
mkdir repo
if ! { cd repo && HOME=$dir hg init && echo 'a line' >file && hg add -q file && hg commit -q -u me -m first; }; then not_ok "apps/$app/mercurial" "no repository"; fi
cd "$dir" || exit 1
# shellcheck disable=SC2086
serve_learned mercurial 255 '^[0-9a-f]{12}$' 'hg identify http://127.0.0.1:PORT/' \
    -- -p PORT:8000 -m 128M $python --package mercurial --package mercurial-common -a repo:/repo /usr/bin/hg serve -R /repo -a 0.0.0.0 -p 8000
svnadmin create svn && svn import -q -m first repo/file "file://$PWD/svn/file" || not_ok "apps/$app/subversion" "no repository"
serve_learned svnserve 143 '^a line$' 'svn cat svn://127.0.0.1:PORT/svn/file' \
    -- -p PORT:3690 -a svn:/run/svn /usr/bin/svnserve -d --foreground -T -r /run

# A block device over the network, a site's generator.
serve_learned nbdkit 0 '^read 4096/4096 bytes' 'qemu-io -f raw -c "write -P 7 0 64k" -c "read -P 7 4k 4k" nbd://127.0.0.1:PORT' \
    -- -p PORT:10809 --package nbdkit /usr/bin/nbdkit -f -p 10809 memory 32M
mkdir -p site/content site/layouts/_default
echo 'baseURL = "http://example.org/"' >site/config.toml
printf -- '---\ntitle: Page\n---\nsome *text*\n' >site/content/page.md
echo '<h1>{{ .Title }}</h1>{{ .Content }}' >site/layouts/_default/single.html
serve_learned hugo 0 '^<h1>Page</h1><p>some <em>text</em></p>' "$get/page/" \
    -- -p PORT:1313 -m 256M -a site:/run/site /usr/bin/hugo server --bind 0.0.0.0 -p 1313 --watch=false -s /run/site

# Go by GCC: another runtime, linked to the C library.
gccgo-12 -O1 -o goserver "$sources/examples/go/main.go" 2>gccgo.err || not_ok "apps/$app/gccgo" "$(tail -n 2 gccgo.err)"
serve_learned gccgo 0 '^hello from Go$' "$get/hello" -- -p PORT:8080 -m 128M ./goserver

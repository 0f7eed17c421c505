#!/bin/sh
# lang_java.sh - OpenJDK: HttpServer, HttpClient, threads, NIO, mapped files, faults that become exceptions; two collectors.
. tests/apps/langs
example_copy
javac -d java/classes java/Server.java
export expect_refused='exec: Cannot run program "/bin/true": error=1, Operation not permitted'
export expect_stop=143 ready_seconds=200
on_linux java -cp java/classes Server PORT
in_pith
sed -i 's/\[-cp,/[-XX:+UseSerialGC, -XX:TieredStopAtLevel=1, -Xshare:auto, -cp,/' java/pith.yaml
in_pith serial

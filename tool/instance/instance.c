/*
 * instance.c - machines in the background: one directory each.
 *
 * (I1) A directory is made and its lock is taken under STATE/.lock, so a directory
 *      whose lock is free and that has no info.json was left by a command that died.
 * (I2) info.json appears by rename: it is whole or not there.
 */
#include "instance/instance.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/err.h"
#include "util/file.h"

#define NAME_LEN_MAX 63
#define INFO_MAX     (1u << 20)

bool instance_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > NAME_LEN_MAX || !isalnum((unsigned char)name[0]))
		return false;
	for (const char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_' && *p != '.')
			return false;
	}
	return true;
}

/* The state directory, made if it is not there. In /tmp it must be ours and ours alone. */
static int state_directory(char **ret_path)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	char *path, *user = xasprintf("/run/user/%u", (unsigned int)geteuid());
	struct stat st;
	int error = 0;

	if (base && base[0] == '/')
		path = xasprintf("%s/pith", base);
	else if (access(user, W_OK | X_OK) == 0)
		path = xasprintf("%s/pith", user);
	else
		path = xasprintf("/tmp/pith-%u", (unsigned int)geteuid());
	free(user);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		error = errno;
	else if (lstat(path, &st) < 0)
		error = errno;
	else if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		error = EPERM;
	if (error) {
		err_report(PITH_FAILED, path, "cannot keep instances there: %s; set XDG_RUNTIME_DIR to a directory that is yours",
			   error == EPERM ? "it belongs to somebody else" : strerror(error));
		free(path);
		return PITH_FAILED;
	}
	*ret_path = path;
	return 0;
}

char *instance_path(const struct instance *instance, const char *file)
{
	return xasprintf("%s/%s", instance->directory, file);
}

/* Opens the lock file of a directory; -1 when it is not there. */
static int lock_open(const struct instance *instance, int flags)
{
	char *path = instance_path(instance, "lock");
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

	free(path);
	return fd;
}

static bool is_locked(const struct instance *instance)
{
	int fd = lock_open(instance, 0);
	bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return locked;
}

static json_t *info_read(const struct instance *instance)
{
	char *path = instance_path(instance, "info.json");
	struct buf text;
	json_t *info = NULL;

	if (file_read(path, INFO_MAX, &text) == 0) {
		info = text.len ? json_loadb(text.data, text.len, 0, NULL) : NULL;
		buf_free(&text);
	}
	if (info && !json_is_object(info)) {
		json_decref(info);
		info = NULL;
	}
	free(path);
	return info;
}

static void name_make(const char *program, struct instance *instance)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	const char *slash = strrchr(program, '/');
	char base[33] = "", tail[6] = "";
	uint8_t random[5] = { 0 };
	size_t len = 0;

	for (const char *p = slash ? slash + 1 : program; *p && len < sizeof base - 1; p++) {
		if (isalnum((unsigned char)*p) || (len && strchr("-_.", *p)))
			base[len++] = *p;
	}
	if (getrandom(random, sizeof random, 0) < 0)
		random[0] = (uint8_t)getpid();
	for (size_t i = 0; i < sizeof random; i++)
		tail[i] = letters[random[i] % 32];
	instance->name = xasprintf("%s-%s", len ? base : "vm", tail);
}

/* Under STATE/.lock: makes the directory and takes its lock. */
static int directory_take(struct instance *instance)
{
	int error = mkdir(instance->directory, 0700) < 0 ? errno : 0;
	json_t *info = error == EEXIST ? info_read(instance) : NULL;
	bool runs = error == EEXIST && is_locked(instance), known = info != NULL;

	json_decref(info);
	if (runs || known)
		return err_report(PITH_FAILED, instance->name, "an instance of this name %s; choose another --name, or pith %s %s first",
				  runs ? "runs" : "ended and was not removed", runs ? "stop" : "rm", instance->name);
	if (error == EEXIST) { /* half made: (I1) */
		file_remove_tree(instance->directory);
		error = mkdir(instance->directory, 0700) < 0 ? errno : 0;
	}
	if (error)
		return err_report(PITH_FAILED, instance->directory, "cannot make it: %s; look at what is in its place", strerror(error));
	instance->lock_fd = lock_open(instance, O_CREAT);
	if (instance->lock_fd < 0 || flock(instance->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_report(PITH_FAILED, instance->directory, "cannot lock it: %s; set XDG_RUNTIME_DIR to another directory", strerror(errno));
	return 0;
}

int instance_create(const char *name, const char *program, struct instance *ret_instance)
{
	struct instance *instance = ret_instance;
	char *state, *path;
	int status, fd;

	*instance = (struct instance){ .lock_fd = -1, .info = json_object() };
	status = state_directory(&state);
	if (status)
		return status;
	path = xasprintf("%s/.lock", state);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		status = err_report(PITH_FAILED, path, "cannot lock it: %s; set XDG_RUNTIME_DIR to another directory", strerror(errno));
	if (name)
		instance->name = xstrdup(name);
	else
		name_make(program, instance);
	instance->directory = xasprintf("%s/%s", state, instance->name);
	if (!status)
		status = directory_take(instance);
	json_object_set_new(instance->info, "name", json_string(instance->name));
	if (fd >= 0)
		close(fd);
	free(path);
	free(state);
	return status;
}

int instance_open(const char *name, struct instance *ret_instance)
{
	struct instance *instance = ret_instance;
	char *state;
	int status;

	*instance = (struct instance){ .lock_fd = -1 };
	if (!instance_name_valid(name))
		return err_report(PITH_FAILED, name, "no instance can have this name; pith ps -a lists them");
	status = state_directory(&state);
	if (status)
		return status;
	instance->name = xstrdup(name);
	instance->directory = xasprintf("%s/%s", state, name);
	free(state);
	if (access(instance->directory, F_OK) < 0)
		return err_report(PITH_FAILED, name, "no such instance; pith ps -a lists them");
	instance->info = info_read(instance);
	if (!instance->info)
		instance->info = json_object();
	return 0;
}

void instance_close(struct instance *instance)
{
	if (instance->lock_fd >= 0)
		close(instance->lock_fd);
	json_decref(instance->info);
	free(instance->name);
	free(instance->directory);
	*instance = (struct instance){ .lock_fd = -1 };
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int instance_list(struct strv *ret_names)
{
	struct dirent *entry;
	char *state;
	DIR *dir;
	int status = state_directory(&state);

	if (status)
		return status;
	dir = opendir(state);
	while (dir && (entry = readdir(dir))) {
		if (instance_name_valid(entry->d_name))
			strv_add(ret_names, entry->d_name);
	}
	if (dir)
		closedir(dir);
	if (ret_names->count)
		qsort(ret_names->items, ret_names->count, sizeof *ret_names->items, compare_text);
	free(state);
	return 0;
}

enum instance_state instance_state(const struct instance *instance)
{
	json_t *info;
	bool ended;

	if (is_locked(instance))
		return INSTANCE_RUNNING;
	info = info_read(instance); /* it may have ended since it was opened */
	ended = info && json_object_get(info, "status");
	json_decref(info);
	return ended ? INSTANCE_ENDED : INSTANCE_LOST;
}

int instance_save(const struct instance *instance)
{
	char *path = instance_path(instance, "info.json"), *text = json_dumps(instance->info, JSON_INDENT(1));
	struct file_atomic out;
	int status = file_atomic_open(&out, path); /* keeps (I2) */

	if (!status && (!text || file_pwrite_all(out.fd, text, strlen(text), 0) < 0)) {
		file_atomic_abort(&out);
		status = err_report(PITH_FAILED, path, "cannot write it; free some room there");
	}
	if (!status)
		status = file_atomic_commit(&out);
	free(text);
	free(path);
	return status;
}

void instance_remove(struct instance *instance)
{
	file_remove_tree(instance->directory);
}

int64_t instance_number(const struct instance *instance, const char *key)
{
	return json_integer_value(json_object_get(instance->info, key));
}

const char *instance_text(const struct instance *instance, const char *key)
{
	const char *text = json_string_value(json_object_get(instance->info, key));

	return text ? text : "";
}

int instance_keeper(const struct instance *instance)
{
	int64_t pid = instance_number(instance, "pid");
	int fd;

	if (pid <= 1 || pid > INT32_MAX)
		return -1;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	/* While the lock is held its holder lives, so the number was its own when the descriptor was made. */
	if (fd >= 0 && !is_locked(instance)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

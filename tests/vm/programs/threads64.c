/* threads64.c - 64 threads: a counter under a mutex, a barrier, thread-local storage, a chain of condition variables. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N 64
#define ROUNDS 200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long counter;
static int turn;
static __thread long mine;

static void *work(void *arg)
{
	int me = (int)(long)arg;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		mine++;
		char *p = malloc((size_t)(i * 7 + 1));
		memset(p, me, (size_t)(i * 7 + 1));
		free(p);
	}
	pthread_mutex_lock(&lock);
	while (turn != me)
		pthread_cond_wait(&turn_changed, &lock);
	turn++;
	pthread_cond_broadcast(&turn_changed);
	pthread_mutex_unlock(&lock);
	return (void *)mine;
}

int main(void)
{
	pthread_t t[N];
	long sum = 0;

	pthread_barrier_init(&barrier, NULL, N);
	for (long i = 0; i < N; i++)
		if (pthread_create(&t[i], NULL, work, (void *)i))
			return perror("pthread_create"), 1;
	for (int i = 0; i < N; i++) {
		void *r;
		pthread_join(t[i], &r);
		sum += (long)r;
	}
	printf("counter %ld, thread-local %ld, turns %d\n", counter, sum, turn);
	return counter != N * ROUNDS || sum != counter || turn != N;
}

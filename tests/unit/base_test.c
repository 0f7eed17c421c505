/* base_test.c - base/: text, strings, lists, red-black trees, ChaCha20 (against RFC 8439). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/chacha20.h"
#include "base/list.h"
#include "base/print.h"
#include "base/rbtree.h"
#include "base/string.h"

#define SAME(...)                                                \
	do {                                                     \
		char a_[128], b_[128];                           \
		int n_ = fmt_buf(a_, sizeof a_, __VA_ARGS__);    \
		int m_ = snprintf(b_, sizeof b_, __VA_ARGS__);   \
		assert_string_equal(a_, b_);                     \
		assert_int_equal(n_, m_);                        \
	} while (0)

static void print_as_c(void **state)
{
	SAME("plain");
	SAME("%d %i %u", -5, 2147483647, 4294967295u);
	SAME("%ld %lu %zu", -9223372036854775807L - 1, 18446744073709551615UL, (size_t)77);
	SAME("%hhd %hd %hhu", (signed char)-3, (short)-300, (unsigned char)250);
	SAME("[%5d] [%-5d] [%05d] [%+d] [% d]", 42, 42, 42, 42, 42);
	SAME("[%.3d] [%8.3d] [%-8.3d] [%.0d]", 7, 7, 7, 0);
	SAME("%x %X %#x %#X %o %08lx", 0xbeef, 0xbeef, 0xbeef, 0xbeef, 511, 0xdeadbeefUL);
	SAME("[%s] [%10s] [%-10s] [%.2s] [%*s] [%.*s]", "abc", "abc", "abc", "abc", 6, "abc", 1, "abc");
	SAME("%c%c %%", 'x', 'y');
	char tiny[4];
	assert_int_equal(fmt_buf(tiny, sizeof tiny, "%s", "abcdef"), 6);
	assert_string_equal(tiny, "abc");
	assert_int_equal(fmt_buf(NULL, 0, "%d", 12345), 5);
}

static void parse_numbers(void **state)
{
	u64 v;
	assert_true(str_parse_u64("0", 1, &v) && v == 0);
	assert_true(str_parse_u64("18446744073709551615", 20, &v) && v == UINT64_MAX);
	assert_false(str_parse_u64("18446744073709551616", 20, &v));
	assert_true(str_parse_u64("0xfF", 4, &v) && v == 255);
	assert_false(str_parse_u64("", 0, &v));
	assert_false(str_parse_u64("12x", 3, &v));
	assert_false(str_parse_u64("-1", 2, &v));
	assert_false(str_parse_u64("0x", 2, &v));
	char b[4];
	assert_int_equal(str_copy(b, "hello", sizeof b), 5);
	assert_string_equal(b, "hel");
}

static void lists(void **state)
{
	struct item {
		int v;
		struct list l;
	} it[5], *p, *tmp;
	struct list h, other;
	list_init(&h);
	list_init(&other);
	for (int i = 0; i < 5; i++) {
		it[i].v = i;
		list_append(&h, &it[i].l);
	}
	int sum = 0;
	list_for_each_entry(p, &h, l)
		sum = sum * 10 + p->v;
	assert_int_equal(sum, 1234);
	list_for_each_entry_safe(p, tmp, &h, l)
		if (p->v % 2)
			list_remove(&p->l);
	list_splice(&other, &h);
	assert_true(list_empty(&h));
	sum = 0;
	list_for_each_entry(p, &other, l)
		sum = sum * 10 + p->v;
	assert_int_equal(sum, 24);
	assert_ptr_equal(list_pop(&other), &it[0].l);
}

struct node {
	struct rb_node rb;
	int key;
};

static int check_black_height(const struct rb_node *n)
{
	if (!n)
		return 1;
	if (n->red)
		assert_false((n->left && n->left->red) || (n->right && n->right->red));   /* (I1) */
	int l = check_black_height(n->left), r = check_black_height(n->right);
	assert_int_equal(l, r);                                                           /* (I2) */
	return l + !n->red;
}

static void rbtree_model(void **state)
{
	enum { N = 400 };
	static struct node nodes[N];
	bool in[N] = { false };
	struct rb_root root = RB_ROOT_INIT;

	srand(7);
	for (int step = 0; step < 20000; step++) {
		int k = rand() % N;
		if (in[k]) {
			rb_erase(&root, &nodes[k].rb);
		} else {
			struct rb_node **link = &root.node, *parent = NULL;
			nodes[k].key = k;
			while (*link) {
				parent = *link;
				link = k < rb_entry(parent, struct node, rb)->key ? &parent->left : &parent->right;
			}
			rb_insert(&root, &nodes[k].rb, parent, link);
		}
		in[k] = !in[k];
		if (step % 50)
			continue;
		check_black_height(root.node);
		struct rb_node *n = rb_first(&root);
		for (int i = 0; i < N; i++) {
			if (!in[i])
				continue;
			assert_int_equal(rb_entry(n, struct node, rb)->key, i);
			n = rb_next(n);
		}
		assert_null(n);
		n = rb_last(&root);
		for (int i = N; i-- > 0;) {
			if (!in[i])
				continue;
			assert_int_equal(rb_entry(n, struct node, rb)->key, i);
			n = rb_prev(n);
		}
	}
}

/* RFC 8439, section 2.3.2. */
static void chacha20_rfc(void **state)
{
	u32 key[8], nonce[3] = { 0x09000000, 0x4a000000, 0 };
	u8 out[64];
	static const u8 want[16] = { 0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4 };
	for (int i = 0; i < 32; i++)
		((u8 *)key)[i] = (u8)i;
	chacha20_block(key, 1, nonce, out);
	assert_memory_equal(out, want, sizeof want);
	assert_int_equal(out[63], 0x4e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(print_as_c), cmocka_unit_test(parse_numbers), cmocka_unit_test(lists),
		cmocka_unit_test(rbtree_model), cmocka_unit_test(chacha20_rfc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

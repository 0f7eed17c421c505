/* hello.c - the smallest example: cc -o hello hello.c && pith run ./hello */
#include <stdio.h>

int main(int argc, char **argv)
{
	printf("hello from %s\n", argc > 1 ? argv[1] : "a virtual machine");
	return 0;
}

// throws.cc - C++: iostreams, exceptions through several frames and through a thread, static destructors.
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

struct Loud {
	std::string name;
	~Loud() { std::cout << "gone: " << name << std::endl; }
};
static Loud at_exit{ "static" };

static int deep(int n)
{
	Loud l{ "frame " + std::to_string(n) };
	if (n == 0)
		throw std::runtime_error("thrown");
	return deep(n - 1) + 1;
}

int main()
{
	try {
		deep(2);
	} catch (const std::exception &e) {
		std::cout << "caught: " << e.what() << std::endl;
	}
	std::exception_ptr p;
	std::thread t([&] {
		try {
			std::vector<int> v;
			v.at(3);
		} catch (...) {
			p = std::current_exception();
		}
	});
	t.join();
	try {
		std::rethrow_exception(p);
	} catch (const std::out_of_range &) {
		std::cout << "caught from a thread" << std::endl;
	}
}

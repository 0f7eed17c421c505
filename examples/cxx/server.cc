// A small web server in C++17, a thread for each connection, and a page of checks of the standard library.
//
//   GET /hello     a line of text
//   POST /sum      Adler-32 of the body
//   GET /check     what the standard library does here, a line for each part
//   GET /refused   what a machine of one process refuses
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <regex>
#include <shared_mutex>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
namespace fs = std::filesystem;

static std::string check_threads()
{
	std::atomic<long> sum{0};
	std::vector<std::thread> all;

	for (int n = 0; n < 8; n++)
		all.emplace_back([&sum, n] { for (int i = 0; i < 1000; i++) sum += i * n; });
	for (auto &t : all)
		t.join();
	return std::to_string(sum);
}

static std::string check_futures()
{
	auto later = std::async(std::launch::async, [] { std::this_thread::sleep_for(10ms); return 42; });
	std::promise<std::string> promise;
	std::thread t([&] { promise.set_value("kept"); });
	auto kept = promise.get_future().get();
	auto slow = std::async(std::launch::async, [] { std::this_thread::sleep_for(300ms); });
	bool late = slow.wait_for(10ms) == std::future_status::timeout;

	t.join();
	return std::to_string(later.get()) + " " + kept + (late ? " late" : " early");
}

static std::string check_locks()
{
	std::shared_mutex lock;
	std::condition_variable_any changed;
	int turn = 0;
	std::string order;
	auto player = [&](int mine) {
		for (int i = 0; i < 5; i++) {
			std::unique_lock hold(lock);
			changed.wait(hold, [&] { return turn % 3 == mine; });
			order += char('a' + mine);
			turn++;
			changed.notify_all();
		}
	};
	std::thread a(player, 0), b(player, 1), c(player, 2);

	a.join(), b.join(), c.join();
	return order;
}

static std::string check_exceptions()
{
	std::string out;
	std::exception_ptr carried;

	try {
		std::vector<int>().at(3);
	} catch (const std::out_of_range &) {
		out += "range ";
	}
	std::thread([&] { try { throw std::runtime_error("carried"); } catch (...) { carried = std::current_exception(); } }).join();
	try {
		std::rethrow_exception(carried);
	} catch (const std::exception &e) {
		out += e.what();
	}
	try {
		fs::create_directory("/no/such/place");
	} catch (const fs::filesystem_error &e) {
		out += std::string(" ") + e.code().message();
	}
	return out;
}

static std::string check_files()
{
	auto dir = fs::temp_directory_path() / "check-cxx";
	std::vector<std::string> names;
	std::ostringstream out;

	fs::create_directories(dir / "a" / "b");
	std::ofstream(dir / "a" / "one") << std::string(10000, 'x');
	fs::create_symlink("one", dir / "a" / "two");
	fs::copy(dir / "a", dir / "c", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
	fs::rename(dir / "c" / "one", dir / "c" / "three");
	fs::resize_file(dir / "c" / "three", 5000);
	for (auto &entry : fs::recursive_directory_iterator(dir))
		names.push_back(entry.path().lexically_relative(dir));
	std::sort(names.begin(), names.end());
	for (auto &name : names)
		out << name << ' ';
	out << fs::file_size(dir / "c" / "three") << ' ' << fs::is_symlink(dir / "c" / "two") << ' ' << (fs::space("/tmp").capacity > 0);
	out << ' ' << fs::remove_all(dir);
	return out.str();
}

static std::string check_streams()
{
	auto path = fs::temp_directory_path() / "check-cxx.txt";
	std::string word, last;
	double sum = 0, number;
	std::fstream f(path, std::ios::in | std::ios::out | std::ios::trunc);

	for (int n = 0; n < 1000; n++)
		f << std::setw(5) << n << ' ' << std::fixed << std::setprecision(2) << n / 4.0 << '\n';
	f.seekg(0);
	while (f >> word >> number)
		sum += number, last = word;
	fs::remove(path);
	std::ostringstream out;
	out << sum << ' ' << last << ' ' << std::regex_replace("a-b-c", std::regex("-"), "+");
	return out.str();
}

static std::string check_chrono()
{
	auto began = std::chrono::steady_clock::now();
	std::random_device random;

	std::this_thread::sleep_for(20ms);
	bool slept = std::chrono::steady_clock::now() - began >= 20ms;
	return std::string(slept ? "slept " : "woke early ") + (random() != random() || random() != random() ? "random" : "not random");
}

static std::string check_all()
{
	const std::map<std::string, std::function<std::string()>> checks = {
		{"chrono", check_chrono}, {"exceptions", check_exceptions}, {"files", check_files}, {"futures", check_futures},
		{"locks", check_locks}, {"streams", check_streams}, {"threads", check_threads},
	};
	std::string out;

	for (auto &[name, check] : checks) {
		try {
			out += name + ": " + check() + "\n";
		} catch (const std::exception &e) {
			out += name + ": FAILED " + e.what() + "\n";
		}
	}
	return out;
}

static std::string refused()
{
	char path[] = "/bin/true", *args[] = {path, nullptr};
	pid_t pid = 0;
	int error = posix_spawn(&pid, path, nullptr, nullptr, args, environ);
	std::string out = std::string("spawn: ") + std::strerror(error) + "\n";

	errno = 0;
	int status = std::system("true");
	return out + "system: exit status " + std::to_string(WEXITSTATUS(status)) + "\n";
}

// What is read from a connection, a line or a number of bytes at a time.
class reader {
	int fd;
	std::string held;

	bool fill()
	{
		char buf[65536];
		ssize_t n = recv(fd, buf, sizeof buf, 0);

		if (n > 0)
			held.append(buf, size_t(n));
		return n > 0;
	}

public:
	explicit reader(int fd) : fd(fd) {}

	bool line(std::string &out)
	{
		size_t end;

		while ((end = held.find("\r\n")) == std::string::npos)
			if (!fill())
				return false;
		out = held.substr(0, end);
		held.erase(0, end + 2);
		return true;
	}

	bool adler32(size_t left, uint32_t &ret)
	{
		uint32_t a = 1, b = 0;

		while (left > 0) {
			if (held.empty() && !fill())
				return false;
			size_t n = std::min(left, held.size());
			for (size_t i = 0; i < n; i++) {
				a = (a + static_cast<unsigned char>(held[i])) % 65521;
				b = (b + a) % 65521;
			}
			held.erase(0, n);
			left -= n;
		}
		ret = b << 16 | a;
		return true;
	}
};

static bool send_all(int fd, const std::string &text)
{
	size_t done = 0;

	while (done < text.size()) {
		ssize_t n = send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		done += size_t(n);
	}
	return true;
}

static void connection(int fd)
{
	reader in(fd);
	std::string first, line;

	while (in.line(first)) {
		size_t len = 0;
		while (in.line(line) && !line.empty()) {
			if (strncasecmp(line.c_str(), "content-length:", 15) == 0)
				len = std::stoul(line.substr(15));
			if (strcasecmp(line.c_str(), "expect: 100-continue") == 0)
				send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n");
		}
		std::istringstream words(first);
		std::string method, path, status = "200 OK";
		std::ostringstream body;
		uint32_t sum;
		words >> method >> path;
		if (path == "/hello")
			body << "hello from C++\n";
		else if (path == "/sum" && in.adler32(len, sum))
			body << std::hex << std::setw(8) << std::setfill('0') << sum << '\n';
		else if (path == "/check")
			body << check_all();
		else if (path == "/refused")
			body << refused();
		else
			status = "404 Not Found";
		std::string text = body.str();
		if (!send_all(fd, "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text))
			break;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	int port = argc > 1 ? std::stoi(argv[1]) : 8080, on = 1;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
	sockaddr_in address = {};

	address.sin_family = AF_INET;
	address.sin_port = htons(uint16_t(port));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) < 0 || listen(listener, 128) < 0) {
		std::cerr << "cannot listen: " << std::strerror(errno) << '\n';
		return 1;
	}
	std::signal(SIGTERM, [](int) { std::_Exit(0); });
	std::cout << "ready" << std::endl;
	while ((fd = accept(listener, nullptr, nullptr)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		std::thread(connection, fd).detach();
	}
}

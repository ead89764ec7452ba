/* The floor of a benchmark: what the kernel alone takes for a fan-out. For each message of the publisher, a bare loop of send(2) of the same
 * bytes to the same sockets: no HTTP, no masking, no queues, no accounting; who can't take it does without.
 *
 *   floor CLIENTS-PORT INTAKE-PORT [GATHER-MS]
 *
 * A client connects and sends the names of its symbols in one line, with commas between; then it gets WebSocket text frames. The publisher's
 * records are a lane (1 byte, of no use here), the length of the key (1), that of the value (2, little endian), key, value. With GATHER-MS,
 * frames are gathered for so long and written together, as servers that pace their writes do; 0 writes each at once. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MAX_SYMBOLS = 1024, NAME = 32, MAX_FD = 1 << 20, LINE = 16384, GATHERED = 1 << 18 };

/* buffer holds frames that wait to be written. */
struct buffer {
	char *data;
	size_t used, size;
};

struct client {
	int fd, symbols; /* how many it watches */
	char *line;      /* what has come of its names; NULL once they are known */
	size_t got;
	struct buffer out; /* of one that watches several, while frames are gathered */
};

struct symbol {
	char name[NAME];
	struct client **clients;
	int count, room;
	struct buffer out; /* for all that watch it alone */
};

static struct client *by_fd[MAX_FD];
static struct symbol symbols[MAX_SYMBOLS];
static int symbol_count, gather;
static struct client **busy; /* with something in out */
static int busy_count, busy_room;
static volatile sig_atomic_t ended;
static uint64_t refused; /* frames that a socket could not take */

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void *grow(void *p, size_t n) {
	if (!(p = realloc(p, n)))
		die("memory");
	return p;
}

static void add(struct buffer *b, const char *data, size_t n) {
	if (b->used + n > b->size)
		b->data = grow(b->data, b->size = 2 * (b->used + n));
	memcpy(b->data + b->used, data, n);
	b->used += n;
}

static struct symbol *find(const char *name, size_t n) {
	for (int i = 0; i < symbol_count; i++) /* found again by its place below, so this runs once a name */
		if (strlen(symbols[i].name) == n && !memcmp(symbols[i].name, name, n))
			return &symbols[i];
	if (symbol_count == MAX_SYMBOLS || n >= NAME) {
		fprintf(stderr, "floor: more than %d symbols, or a name of %zu bytes\n", MAX_SYMBOLS, n);
		exit(1);
	}
	memcpy(symbols[symbol_count].name, name, n);
	return &symbols[symbol_count++];
}

/* cached is find for the publisher, which names its symbols in turn. */
static struct symbol *cached(const char *name, size_t n) {
	static int next;
	struct symbol *s = &symbols[next < symbol_count ? next : 0];
	if (strlen(s->name) != n || memcmp(s->name, name, n))
		s = find(name, n);
	next = (int)(s - symbols) + 1;
	return s;
}

static void emit(int fd, const char *data, size_t n) {
	if (send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
		refused++;
}

static void subscribe(struct client *c) {
	for (char *rest = c->line, *name; (name = strsep(&rest, ",\n"));) {
		if (!*name)
			continue;
		struct symbol *s = find(name, strlen(name));
		if (s->count == s->room)
			s->clients = grow(s->clients, sizeof *s->clients * (size_t)(s->room = 2 * s->room + 64));
		s->clients[s->count++] = c;
		c->symbols++;
	}
	free(c->line);
	c->line = NULL;
}

static void hang_up(struct client *c) {
	for (int i = 0; i < symbol_count && c->symbols; i++)
		for (int j = 0; j < symbols[i].count; j++)
			if (symbols[i].clients[j] == c)
				symbols[i].clients[j--] = symbols[i].clients[--symbols[i].count];
	for (int i = 0; i < busy_count; i++)
		if (busy[i] == c)
			busy[i--] = busy[--busy_count];
	close(c->fd);
	by_fd[c->fd] = NULL;
	free(c->line);
	free(c->out.data);
	free(c);
}

static void client_ready(struct client *c) {
	char scrap[512];
	char *to = c->line ? c->line + c->got : scrap;
	ssize_t n = recv(c->fd, to, c->line ? LINE - 1 - c->got : sizeof scrap, MSG_DONTWAIT);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			hang_up(c);
		return;
	}
	if (!c->line)
		return;
	c->got += (size_t)n;
	c->line[c->got] = 0;
	if (c->line[c->got - 1] == '\n')
		subscribe(c);
	else if (c->got == LINE - 1)
		hang_up(c);
}

/* publish sends a frame to all who watch its symbol, or lets it wait. */
static void publish(struct symbol *s, const char *frame, size_t n) {
	int alone = 0;
	for (int i = 0; i < s->count; i++) {
		struct client *c = s->clients[i];
		if (!gather) {
			emit(c->fd, frame, n);
		} else if (c->symbols == 1) {
			alone = 1;
		} else {
			if (!c->out.used) {
				if (busy_count == busy_room)
					busy = grow(busy, sizeof *busy * (size_t)(busy_room = 2 * busy_room + 64));
				busy[busy_count++] = c;
			}
			add(&c->out, frame, n);
		}
	}
	if (alone)
		add(&s->out, frame, n);
}

static void flush(void) {
	for (int i = 0; i < busy_count; i++) {
		emit(busy[i]->fd, busy[i]->out.data, busy[i]->out.used);
		busy[i]->out.used = 0;
	}
	busy_count = 0;
	for (struct symbol *s = symbols; s < symbols + symbol_count; s++) {
		for (int i = 0; i < s->count && s->out.used; i++)
			if (s->clients[i]->symbols == 1)
				emit(s->clients[i]->fd, s->out.data, s->out.used);
		s->out.used = 0;
	}
}

/* intake reads the publisher's records; 0: it is gone. */
static int intake(int fd) {
	static char buf[GATHERED], frame[4 + 65536];
	static size_t kept;
	ssize_t n = recv(fd, buf + kept, sizeof buf - kept, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	size_t size = kept + (size_t)n, at = 0;
	while (size - at >= 4) {
		const unsigned char *r = (unsigned char *)buf + at;
		size_t key = r[1], value = r[2] | (size_t)r[3] << 8, head = 2;
		if (size - at < 4 + key + value)
			break;
		frame[0] = (char)0x81; /* a whole text frame */
		frame[1] = (char)value;
		if (value > 125) {
			head = 4;
			frame[1] = 126;
			frame[2] = (char)(value >> 8);
			frame[3] = (char)value;
		}
		memcpy(frame + head, r + 4 + key, value);
		publish(cached((char *)r + 4, key), frame, head + value);
		at += 4 + key + value;
	}
	memmove(buf, buf + at, kept = size - at);
	return 1;
}

static int listen_on(int port) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096))
		die("listening");
	return fd;
}

static void watch(int ep, int fd) {
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		die("epoll_ctl");
}

static void accept_all(int ep, int from) {
	int fd, one = 1;
	while ((fd = accept4(from, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct client *c = calloc(1, sizeof *c);
		if (!c || fd >= MAX_FD)
			die("a client");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		c->fd = fd;
		c->line = grow(NULL, LINE);
		by_fd[fd] = c;
		watch(ep, fd);
	}
}

static void end(int sig) {
	(void)sig;
	ended = 1;
}

int main(int argc, char **argv) {
	if (argc < 3) {
		fprintf(stderr, "usage: floor CLIENTS-PORT INTAKE-PORT [GATHER-MS]\n");
		return 2;
	}
	gather = argc > 3 ? atoi(argv[3]) : 0;
	struct rlimit r;
	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	struct sigaction on_end = {.sa_handler = end};
	sigaction(SIGTERM, &on_end, NULL);
	sigaction(SIGINT, &on_end, NULL);
	int ep = epoll_create1(EPOLL_CLOEXEC), clients = listen_on(atoi(argv[1])), publishers = listen_on(atoi(argv[2])), publisher = -1;
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (ep < 0 || timer < 0)
		die("epoll or timer");
	watch(ep, clients);
	watch(ep, publishers);
	watch(ep, timer);
	if (gather) {
		struct itimerspec every = {{gather / 1000, gather % 1000 * 1000000L}, {gather / 1000, gather % 1000 * 1000000L}};
		timerfd_settime(timer, 0, &every, NULL);
	}
	struct epoll_event events[256];
	while (!ended) {
		int n = epoll_wait(ep, events, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			uint64_t ticks;
			if (fd == clients) {
				accept_all(ep, clients);
			} else if (fd == publishers) {
				if ((publisher = accept4(publishers, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
					watch(ep, publisher);
			} else if (fd == timer) {
				if (read(timer, &ticks, sizeof ticks) > 0)
					flush();
			} else if (fd == publisher) {
				if (!intake(fd)) {
					close(fd);
					publisher = -1;
				}
			} else if (by_fd[fd]) {
				client_ready(by_fd[fd]);
			}
		}
	}
	if (refused)
		fprintf(stderr, "floor: %llu writes were not taken by their sockets\n", (unsigned long long)refused);
	return 0;
}

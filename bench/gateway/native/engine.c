/* An engine that costs next to nothing: engine PORT EVENTS PAUSE_MS
 *
 * A POST with "stream": true gets EVENTS events, each a write of its own: as fast as they are read, or one each
 * PAUSE_MS with its number and the time of its write in its text (" @" and two runs of letters, a for 0). Other POSTs
 * get one reply at once, all else a list of models. One thread; runs until it is killed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 16384
#define HELD (1 << 20)   /* of a request, at most */
#define FIRST_ROOM 4096
#define STREAM "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
#define EVENT "data: {\"id\": \"chatcmpl-0\", \"object\": \"chat.completion.chunk\", \"created\": 1, \"model\": \"m\", " \
  "\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"%s\"}, \"finish_reason\": null}]}\n\n"
#define WHOLE "{\"id\": \"chatcmpl-0\", \"object\": \"chat.completion\", \"created\": 1, \"model\": \"m\", \"choices\": " \
  "[{\"index\": 0, \"message\": {\"role\": \"assistant\", \"content\": \"%0300d\"}, \"finish_reason\": \"stop\"}]}"
#define MODELS "{\"object\": \"list\", \"data\": [{\"id\": \"m\", \"object\": \"model\", \"created\": 1, \"owned_by\": \"x\"}]}"
#define LAST "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"

typedef struct {
  char *in;
  int got, room;
  int left;            /* events still to be written; -1: none, not even the last chunk */
  char out[1024];
  int out_length, out_sent;
  uint64_t due;        /* of the next event, where they are paced */
  int next, queued;    /* of those that wait for `due`, in order */
} Connection;

static Connection all[CONNECTIONS];
static int events, poller, first = -1, last = -1;
static uint64_t pause_ns;
static char whole[1024], models[512];

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void letters(char *to, uint64_t number, int count) {
  for (int i = count - 1; i >= 0; i--, number /= 10) to[i] = 'a' + number % 10;
}

static void listen_for(int fd, int what) {
  struct epoll_event asked = {.events = what, .data.fd = fd};
  epoll_ctl(poller, EPOLL_CTL_MOD, fd, &asked);
}

static void end(int fd) {
  close(fd);
  all[fd].got = 0;
  all[fd].left = -1;
  all[fd].out_length = all[fd].out_sent = 0;
}

/* 1: all is written; 0: the rest waits; -1: nobody reads any more. */
static int flush(int fd) {
  Connection *c = &all[fd];
  while (c->out_sent < c->out_length) {
    ssize_t done = write(fd, c->out + c->out_sent, c->out_length - c->out_sent);
    if (done > 0) c->out_sent += done;
    else if (done < 0 && errno == EAGAIN) { listen_for(fd, EPOLLIN | EPOLLOUT); return 0; }
    else return -1;
  }
  c->out_length = c->out_sent = 0;
  return 1;
}

static void put(Connection *c, const char *text, int length) {
  memcpy(c->out + c->out_length, text, length);
  c->out_length += length;
}

static void put_event(Connection *c) {
  char said[64] = " token", text[512];
  if (pause_ns) {
    strcpy(said, " @");
    letters(said + 2, events - c->left, 6);
    letters(said + 8, now() / 1000 % 1000000000, 9);
    said[17] = 0;
  }
  int length = sprintf(text, EVENT, said);
  c->out_length += sprintf(c->out + c->out_length, "%x\r\n%s\r\n", length, text);
}

static void wait_turn(int fd) {
  Connection *c = &all[fd];
  if (c->queued) return;
  c->queued = 1;
  c->next = -1;
  if (last < 0) first = last = fd;
  else { all[last].next = fd; last = fd; }
}

/* Write what can be written of a stream; 0 where the connection is gone. */
static int go_on(int fd) {
  Connection *c = &all[fd];
  for (;;) {
    int done = flush(fd);
    if (done < 0) { end(fd); return 0; }
    if (!done) return 1;
    if (c->left < 0) { listen_for(fd, EPOLLIN); return 1; }
    if (!c->left) { put(c, LAST, sizeof LAST - 1); c->left = -1; continue; }
    if (pause_ns && c->due > now()) { wait_turn(fd); return 1; }
    put_event(c);
    c->left--;
    c->due += pause_ns;
  }
}

/* Answer each whole request that is held; 0 where the connection is gone. */
static int answer(int fd) {
  Connection *c = &all[fd];
  while (c->left < 0 && !c->out_length) {
    char *head_end = c->got ? memmem(c->in, c->got, "\r\n\r\n", 4) : NULL;
    if (!head_end) return 1;
    int head = head_end + 4 - c->in, body = 0;
    *head_end = 0;
    char *length = strcasestr(c->in, "\r\ncontent-length:");
    if (length) body = atoi(length + 17);
    *head_end = '\r';
    if (c->got < head + body) return 1;
    int streams = memmem(c->in + head, body, "\"stream\": true", 14) || memmem(c->in + head, body, "\"stream\":true", 13);
    if (c->in[0] != 'P') put(c, models, strlen(models));
    else if (!streams) put(c, whole, strlen(whole));
    else { put(c, STREAM, sizeof STREAM - 1); c->left = events; c->due = now() + pause_ns; }
    c->got -= head + body;
    memmove(c->in, c->in + head + body, c->got);
    if (!go_on(fd)) return 0;
  }
  return 1;
}

static void hear(int fd) {
  Connection *c = &all[fd];
  if (c->got == c->room) {
    c->room = c->room ? c->room * 2 : FIRST_ROOM;
    if (c->room > HELD || !(c->in = realloc(c->in, c->room + 1))) { c->room = 0; end(fd); return; }
  }
  ssize_t got = read(fd, c->in + c->got, c->room - c->got);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) { end(fd); return; }
  c->got += got;
  answer(fd);
}

static void accept_all(int listener) {
  int fd, on = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (fd >= CONNECTIONS) { close(fd); continue; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    all[fd].got = all[fd].out_length = all[fd].out_sent = 0;
    all[fd].left = -1;
    struct epoll_event asked = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &asked);
  }
}

static void begin_due(void) {
  while (first >= 0 && all[first].due <= now()) {
    int fd = first;
    first = all[fd].next;
    if (first < 0) last = -1;
    all[fd].queued = 0;
    if (all[fd].left >= 0 && go_on(fd)) answer(fd);
  }
}

int main(int count, char **given) {
  if (count != 4) return 2;
  signal(SIGPIPE, SIG_IGN);
  events = atoi(given[2]);
  pause_ns = atoi(given[3]) * 1000000ull;
  char text[900];
  int length = sprintf(text, WHOLE, 7);
  sprintf(whole, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", length, text);
  sprintf(models, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s",
          (int)strlen(MODELS), MODELS);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(given[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) { perror("engine"); return 1; }
  poller = epoll_create1(0);
  struct epoll_event asked = {.events = EPOLLIN, .data.fd = listener}, found[512];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &asked);
  for (;;) {
    int64_t wait = -1;
    if (first >= 0) {
      uint64_t time = now();
      wait = all[first].due <= time ? 0 : (int64_t)((all[first].due - time) / 1000000 + 1);
    }
    int ready = epoll_wait(poller, found, 512, (int)wait);
    begin_due();
    for (int i = 0; i < ready; i++) {
      int fd = found[i].data.fd;
      if (fd == listener) { accept_all(listener); continue; }
      if (found[i].events & EPOLLOUT && (!go_on(fd) || !answer(fd))) continue;
      if (found[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(fd);
    }
  }
}

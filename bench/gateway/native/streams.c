/* Streams held at once: streams PORT BODIES KEY CONNECTIONS SECONDS RAMP_MS EVENTS
 *
 * Each connection asks for one stream after the other, with a body of the file BODIES in which a number of its own takes
 * the place of `0000000000` and its letters that of `wwwwwwwwww`. The events are those that `engine.c` paces: each
 * says its number and the time of its write. Prints one line of JSON; microseconds. One thread. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM 16384
#define KEPT 64          /* of what was read, for a mark or an end that was cut */
#define LONGEST 5000000  /* microseconds that are told apart */
#define MARK 17          /* of an event: its sign, six letters of its number, nine of its time, and what ends it */
#define END "\r\n0\r\n\r\n"

typedef struct {
  int fd, held, started, number, done;
  uint64_t asked, last;
  char in[ROOM + 1];
} Stream;

typedef struct { uint32_t *at; uint64_t count; uint32_t most; } Times;

static char **bodies;
static int body_count, events;
static const char *key;
static uint64_t sent, finished, errors, chunks, disordered, incomplete;
static Times delays, firsts, gaps;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static void note(Times *times, uint64_t micros) {
  uint32_t value = micros < LONGEST ? micros : LONGEST;
  times->at[value]++;
  times->count++;
  if (value > times->most) times->most = value;
}

static uint32_t at_share(const Times *times, double share) {
  uint64_t seen = 0, wanted = (uint64_t)(share * times->count);
  for (uint32_t value = 0; value <= LONGEST; value++)
    if ((seen += times->at[value]) > wanted) return value;
  return times->most;
}

static uint64_t number_of(const char *letters, int count) {
  uint64_t number = 0;
  for (int i = 0; i < count; i++) number = number * 10 + (letters[i] - 'a');
  return number;
}

static int ask(Stream *s, int port) {
  static char text[1 << 17];
  const char *body = bodies[sent % body_count];
  int length = sprintf(text, "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nauthorization: Bearer %s\r\n"
                       "content-type: application/json\r\ncontent-length: %d\r\n\r\n", port, key, (int)strlen(body));
  char *said = text + length, *place, digits[16];
  strcpy(said, body);
  sprintf(digits, "%010d", (int)++sent);
  if ((place = strstr(said, "0000000000"))) memcpy(place, digits, 10);
  if ((place = strstr(said, "wwwwwwwwww"))) for (int i = 0; i < 10; i++) place[i] = 'a' + digits[i] - '0';
  length += strlen(body);
  s->held = s->started = s->done = 0;
  s->number = -1;
  s->asked = s->last = now();
  return write(s->fd, text, length) == length;
}

static void end(Stream *s, int failed) {
  close(s->fd);
  s->fd = -1;
  errors += failed;
}

static void hear(Stream *s, int port) {
  ssize_t got = read(s->fd, s->in + s->held, ROOM - s->held);
  uint64_t time = now();
  if (got <= 0) { end(s, 1); return; }
  s->held += got;
  s->in[s->held] = 0;
  if (!s->started && s->held >= 12) {
    if (memcmp(s->in + 9, "200", 3)) { end(s, 1); return; }
    s->started = 1;
  }
  char *at = s->in, *mark;
  while ((mark = strchr(at, '@'))) {
    if (s->in + s->held - mark < MARK) break;
    int number = (int)number_of(mark + 1, 6);
    uint64_t written = number_of(mark + 7, 9);
    note(&delays, (time % 1000000000 + 1000000000 - written) % 1000000000);
    note(s->number < 0 ? &firsts : &gaps, time - s->last);
    disordered += number != s->number + 1;
    s->number = number;
    s->last = time;
    chunks++;
    at = mark + MARK;
  }
  if (!mark) {
    int rest = s->in + s->held - at;
    if (strstr(at, "[DONE]")) s->done = 1;
    if (s->done && rest >= 7 && !memcmp(s->in + s->held - 7, END, 7)) {
      finished++;
      incomplete += s->number != events - 1;
      if (!ask(s, port)) end(s, 1);
      return;
    }
    mark = rest > KEPT ? s->in + s->held - KEPT : at;
  }
  s->held -= mark - s->in;
  memmove(s->in, mark, s->held);
}

static int open_one(Stream *s, int port, int poller, int place) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s->fd, (void *)&address, sizeof address) || !ask(s, port)) return 0;
  struct epoll_event asked = {.events = EPOLLIN, .data.u32 = place};
  return !epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &asked);
}

static void read_bodies(const char *path) {
  FILE *file = fopen(path, "r");
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  if (!file) { perror(path); exit(1); }
  while ((length = getline(&line, &room, file)) > 0) {
    if (line[length - 1] == '\n') line[length - 1] = 0;
    bodies = realloc(bodies, sizeof *bodies * (body_count + 1));
    bodies[body_count++] = strdup(line);
  }
  fclose(file);
}

static void say(const char *name, const Times *times) {
  printf(", \"%s\": {\"p50\": %u, \"p99\": %u, \"most\": %u}", name, at_share(times, .5), at_share(times, .99), times->most);
}

int main(int count, char **given) {
  if (count != 8) return 2;
  signal(SIGPIPE, SIG_IGN);
  int port = atoi(given[1]), wanted = atoi(given[4]), opened = 0;
  read_bodies(given[2]);
  key = given[3];
  events = atoi(given[7]);
  uint64_t begun = now(), ramp = atoi(given[6]) * 1000ull, until = begun + ramp + (uint64_t)(atof(given[5]) * 1e6);
  for (Times **one = (Times *[]){&delays, &firsts, &gaps, NULL}; *one; one++) (*one)->at = calloc(LONGEST + 1, 4);
  Stream *all = calloc(wanted, sizeof *all);
  struct epoll_event found[512];
  int poller = epoll_create1(0);
  for (uint64_t time = begun; time < until; time = now()) {
    for (; opened < wanted && time - begun >= ramp * opened / wanted; opened++, time = now())
      if (!open_one(&all[opened], port, poller, opened)) end(&all[opened], 1);
    int ready = epoll_wait(poller, found, 512, opened < wanted ? 1 : 100);
    for (int i = 0; i < ready; i++)
      if (all[found[i].data.u32].fd >= 0) hear(&all[found[i].data.u32], port);
  }
  int held = 0;
  for (int i = 0; i < opened; i++) held += all[i].fd >= 0;
  printf("{\"streams\": %d, \"held\": %d, \"finished\": %lu, \"errors\": %lu, \"chunks\": %lu, \"disordered\": %lu, "
         "\"incomplete\": %lu, \"seconds\": %.3f", wanted, held, finished, errors, chunks, disordered, incomplete,
         (now() - begun) / 1e6);
  say("delay", &delays);
  say("first", &firsts);
  say("gap", &gaps);
  puts("}");
  return 0;
}

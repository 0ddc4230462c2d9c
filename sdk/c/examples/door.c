/* A door: gets a band's engagement by a tap, opens an encrypted session with it, asks it for its credential, and
 * opens if that verifies, for this session and on a wrist.
 *
 *   door TRUST_LIST_FILE STATUS_LIST_FILE < from_radio > to_radio
 *
 * In place of a radio there are two pipes. A frame is a number (0 for what NFC has read, else that of a
 * characteristic), the length of what follows in two bytes, high first, and that. What became of it is written to
 * the standard error output: `open`, or `closed: ` and a code. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bandpass.h"

/* What both ends agreed on when they connected. */
#define MTU 247
#define TAP 0

/* DeviceRequest (ISO/IEC 18013-5, 8.3.2.1.2.1): the two elements of a band credential that every band shows. It is
 * not signed, so a band does not know whose door this is, and shows no more. */
static const char REQUEST[] =
    "\xa2\x67version\x63" "1.0\x6b" "docRequests\x81\xa1\x6citemsRequest\xd8\x18\x58\x4e"
    "\xa2\x67" "docType\x6f" "bandpass.band.1\x6anameSpaces\xa1\x6f" "bandpass.band.1"
    "\xa2\x67pairing\xf4\x6d" "band_measures\xf4";

struct frame {
  uint8_t number;
  size_t length;
  unsigned char value[UINT16_MAX];
};

static bool read_frame(struct frame *frame) {
  unsigned char head[3];
  if (fread(head, 1, sizeof head, stdin) != sizeof head) return false;
  frame->number = head[0];
  frame->length = (size_t)head[1] << 8 | head[2];
  return fread(frame->value, 1, frame->length, stdin) == frame->length;
}

/* Writes what the link has to send. */
static bandpass_code flush(const bandpass_link *link) {
  for (;;) {
    uint8_t number;
    bandpass_bytes *value;
    bandpass_code code = bandpass_link_next(link, &number, &value);
    if (code != NULL || value == NULL) {
      fflush(stdout);
      return code;
    }
    bandpass_view bytes = bandpass_bytes_view(value);
    unsigned char head[3] = {number, (unsigned char)(bytes.length >> 8), (unsigned char)bytes.length};
    fwrite(head, 1, sizeof head, stdout);
    fwrite(bytes.data, 1, bytes.length, stdout);
    bandpass_bytes_free(&value);
  }
}

static bandpass_code send_message(const bandpass_link *link, const bandpass_bytes *message) {
  bandpass_code code = bandpass_link_send(link, bandpass_bytes_view(message));
  return code != NULL ? code : flush(link);
}

/* Waits for a whole message. Without one, because the radio is silent or the band has ended the link, there is none. */
static bandpass_code receive_message(const bandpass_link *link, bandpass_bytes **message) {
  static struct frame frame;
  *message = NULL;
  bandpass_event event = BANDPASS_EVENT_CHUNK;
  while (event == BANDPASS_EVENT_CHUNK && read_frame(&frame)) {
    bandpass_view value = {frame.value, frame.length};
    bandpass_code code = bandpass_link_received(link, frame.number, value, &event, message);
    if (code != NULL) return code;
  }
  return NULL;
}

/* Opens the session with the band that was tapped, with a key that is for this session alone. */
static bandpass_code establish(const bandpass_link *link, bandpass_session **session) {
  static struct frame tap;
  if (!read_frame(&tap) || tap.number != TAP) return "door.tap";
  bandpass_view select = {tap.value, tap.length}, none = {NULL, 0}, request = {REQUEST, sizeof REQUEST - 1};
  bandpass_reader *reader = NULL;
  bandpass_key *key = NULL;
  bandpass_bytes *message = NULL;
  bandpass_code code = bandpass_reader_by_nfc(select, none, &reader);
  if (code == NULL) code = bandpass_key_generate(&key);
  if (code == NULL) code = bandpass_reader_establish(reader, key, request, session, &message);
  if (code == NULL) code = bandpass_link_start(link);
  if (code == NULL) code = send_message(link, message);
  bandpass_bytes_free(&message);
  bandpass_key_free(&key);
  bandpass_reader_free(&reader);
  return code;
}

/* Gets the band's answer. */
static bandpass_code receive_answer(const bandpass_link *link, const bandpass_session *session,
                                    bandpass_bytes **answer) {
  bandpass_bytes *message = NULL, *reply = NULL;
  bandpass_code code = receive_message(link, &message);
  if (code == NULL && message == NULL) code = bandpass_session_closed(session);
  if (message != NULL) {
    bandpass_received received;
    code = bandpass_session_open(session, bandpass_bytes_view(message), &received, answer);
    if (code == NULL && *answer == NULL) code = "door.no-answer";
    /* The band is told, in so far as the standard has a status for it. */
    if (code != NULL && bandpass_reply(code, &reply) == NULL && reply != NULL && send_message(link, reply) != NULL)
      fputs("the band was not told\n", stderr);
  }
  bandpass_bytes_free(&reply);
  bandpass_bytes_free(&message);
  return code;
}

/* Verifies it: made for this session, in the last half minute, by a band that is on a wrist and unlocked. */
static bandpass_code verify(const bandpass_verifier *verifier, const bandpass_session *session,
                            const bandpass_bytes *token) {
  static const char FORM[] = "{\"now\":%lld,\"maxAge\":30,\"worn\":true,\"unlocked\":true,\"binding\":%s}";
  bandpass_bytes *binding;
  bandpass_code code = bandpass_session_binding(session, &binding);
  if (code != NULL) return code;
  size_t room = sizeof FORM + 20 + bandpass_bytes_view(binding).length;
  char *request = malloc(room);
  if (request == NULL) abort();
  snprintf(request, room, FORM, (long long)time(NULL), (const char *)bandpass_bytes_view(binding).data);
  code = bandpass_verifier_verify(verifier, bandpass_bytes_view(token), bandpass_text(request), NULL);
  free(request);
  bandpass_bytes_free(&binding);
  return code;
}

/* One band, from the tap to the verdict. */
static bandpass_code visit(const bandpass_verifier *verifier) {
  bandpass_link *link = NULL;
  bandpass_session *session = NULL;
  bandpass_bytes *token = NULL;
  bandpass_code code = bandpass_link_of_reader(MTU, &link);
  if (code == NULL) code = establish(link, &session);
  if (code == NULL) code = receive_answer(link, session, &token);
  if (code == NULL) code = verify(verifier, session, token);
  if (link != NULL && (bandpass_link_end(link) != NULL || flush(link) != NULL)) fputs("the link was over\n", stderr);
  bandpass_bytes_free(&token);
  bandpass_session_free(&session);
  bandpass_link_free(&link);
  return code;
}

/* A file, in a buffer that is always the same. */
static bandpass_view read_file(const char *path) {
  static char content[1 << 20];
  FILE *file = fopen(path, "rb");
  bandpass_view view = {content, file != NULL ? fread(content, 1, sizeof content, file) : 0};
  if (file != NULL) fclose(file);
  return view;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fputs("usage: door TRUST_LIST_FILE STATUS_LIST_FILE\n", stderr);
    return 64;
  }
  bandpass_verifier *verifier = NULL;
  bandpass_code code = bandpass_verifier_open(read_file(argv[1]), true, &verifier, NULL);
  if (code == NULL) code = bandpass_verifier_update_status(verifier, read_file(argv[2]), (uint64_t)time(NULL), NULL);
  if (code == NULL) code = visit(verifier);
  bandpass_verifier_free(&verifier);
  if (code != NULL) {
    fprintf(stderr, "closed: %s\n", code);
    return 2;
  }
  fputs("open\n", stderr);
  return 0;
}

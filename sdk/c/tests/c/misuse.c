/* What callers get wrong: each mistake is a code, and hands out nothing.
 *
 *   misuse TRUST_LIST TOKEN REQUEST STATUS_LIST
 *
 * are texts that go together: the token verifies. */
#include <errno.h>
#include <sys/types.h>
#include <threads.h>

#include "check.h"

/* In place of the operating system's, which does not fail when it should. */
ssize_t getrandom(void *bytes, size_t length, unsigned flags);
ssize_t getrandom(void *bytes, size_t length, unsigned flags) {
  (void)bytes, (void)length, (void)flags;
  errno = EIO;
  return -1;
}

static const bandpass_view NONE = {NULL, 0};
/* Bytes that are not there, and more than there can be. */
static const bandpass_view MISSING = {NULL, 1}, ENDLESS = {"", SIZE_MAX};
static const bandpass_view GARBAGE = {"\xff\x00{]", 4};

static bandpass_view repeated(char byte, size_t length) {
  static char bytes[1024];
  memset(bytes, byte, sizeof bytes);
  bandpass_view view = {bytes, length};
  return view;
}

/* What is handed out before a call that fails must not be there after it. */
static void *const STALE = (void *)&NONE;

#define REFUSED(due, place, call) \
  do { \
    (place) = STALE; \
    CODE(due, call); \
    CHECK((place) == NULL); \
  } while (0)

static const bandpass_verifier *shared;
static bandpass_view good_token, good_request;

static int verify_often(void *unused) {
  (void)unused;
  for (int times = 0; times < 3; times++) DONE(bandpass_verifier_verify(shared, good_token, good_request, NULL));
  return 0;
}

static void verifiers(char **texts) {
  bandpass_view trust = bandpass_text(texts[1]), list = bandpass_text(texts[4]);
  bandpass_verifier *verifier;
  bandpass_bytes *answer;
  good_token = bandpass_text(texts[2]), good_request = bandpass_text(texts[3]);

  CODE("c.null", bandpass_verifier_open(trust, true, NULL, NULL));
  REFUSED("c.null", verifier, bandpass_verifier_open(MISSING, true, &verifier, NULL));
  REFUSED("c.length", verifier, bandpass_verifier_open(ENDLESS, true, &verifier, NULL));
  REFUSED("trust.malformed", verifier, bandpass_verifier_open(NONE, true, &verifier, NULL));
  REFUSED("trust.malformed", verifier, bandpass_verifier_open(GARBAGE, true, &verifier, &answer));
  CHECK(strstr(bandpass_bytes_view(answer).data, "\"code\":\"trust.malformed\"") != NULL);
  bandpass_bytes_free(&answer);
  DONE(bandpass_verifier_open(trust, true, &verifier, &answer));
  CHECK(answer == NULL);

  REFUSED("c.null", answer, bandpass_verifier_update_status(NULL, list, 0, &answer));
  REFUSED("c.null", answer, bandpass_verifier_update_status(verifier, MISSING, 0, &answer));
  CODE("status.malformed", bandpass_verifier_update_status(verifier, GARBAGE, 0, NULL));
  CODE("status.future", bandpass_verifier_update_status(verifier, list, 0, NULL));

  REFUSED("c.null", answer, bandpass_verifier_verify(NULL, good_token, good_request, &answer));
  REFUSED("c.null", answer, bandpass_verifier_verify(verifier, MISSING, good_request, &answer));
  REFUSED("c.null", answer, bandpass_verifier_verify(verifier, good_token, MISSING, &answer));
  REFUSED("c.length", answer, bandpass_verifier_verify(verifier, ENDLESS, good_request, &answer));
  REFUSED("c.null", answer, bandpass_verifier_explain(NULL, good_token, good_request, &answer));
  REFUSED("c.null", answer, bandpass_inspect(MISSING, &answer));
  static const char *const requests[] = {
      "", "null", "[]", "{", "{}", "{\"now\":1", "{\"now\":1}x", "{\"now\":\"1\"}", "{\"now\":-1}", "{\"now\":1.5}",
      "{\"now\":1,\"now\":1}", "{\"now\":1,\"unlockd\":true}", "{\"now\":1,\"unlocked\":\"yes\"}",
      "{\"now\":1,\"unlocked\":1}",
      "{\"now\":1,\"audience\":\"a\"}", "{\"now\":1,\"maxAge\":4294967296}", "{\"now\":1,\"claims\":[[true]]}",
      "{\"now\":1,\"claims\":[\"a\"]}", "{\"now\":1,\"dcql\":[]}", "{\"now\":1,\"ageAtLeast\":256}",
      "{\"now\":1,\"binding\":{\"type\":\"proximity\"}}", "{\"now\":1,\"binding\":{\"type\":\"other\"}}",
      "{\"now\":1,\"binding\":{\"type\":\"dc-api\",\"origin\":\"a\",\"nonce\":\"b\",\"more\":0}}"};
  for (size_t place = 0; place < sizeof requests / sizeof *requests; place++) {
    CODE("c.request", bandpass_verifier_verify(verifier, good_token, bandpass_text(requests[place]), &answer));
    CHECK(strstr(bandpass_bytes_view(answer).data, "\"code\":\"c.request\"") != NULL);
    bandpass_bytes_free(&answer);
    CODE("c.request", bandpass_verifier_explain(verifier, good_token, bandpass_text(requests[place]), NULL));
  }
  CODE("challenge.malformed", bandpass_verifier_verify(verifier, good_token, bandpass_text("{\"now\":1}"), NULL));
  CODE("challenge.malformed", bandpass_verifier_explain(verifier, good_token, bandpass_text("{\"now\":1}"), &answer));
  CHECK(strstr(bandpass_bytes_view(answer).data, "\"error\"") != NULL);
  bandpass_bytes_free(&answer);
  CODE("token.malformed", bandpass_verifier_verify(verifier, NONE, good_request, NULL));
  CODE("token.malformed", bandpass_verifier_verify(verifier, GARBAGE, good_request, NULL));
  CODE("token.malformed", bandpass_inspect(GARBAGE, NULL));
  for (size_t length = 0; length < good_token.length; length += good_token.length / 12) {
    /* In memory of just its size, so that a byte too many that is read is seen. */
    char *copy = malloc(length ? length : 1);
    CHECK(copy != NULL);
    memcpy(copy, good_token.data, length);
    bandpass_view cut = {copy, length};
    CHECK(bandpass_verifier_verify(verifier, cut, good_request, NULL) != NULL);
    free(copy);
  }

  /* After all that it verifies, also for several threads at once. */
  DONE(bandpass_inspect(good_token, &answer));
  CHECK(bandpass_bytes_view(answer).length > 2);
  bandpass_bytes_free(&answer);
  shared = verifier;
  thrd_t thread;
  CHECK(thrd_create(&thread, verify_often, NULL) == thrd_success);
  verify_often(NULL);
  CHECK(thrd_join(thread, NULL) == thrd_success);
  bandpass_verifier_free(&verifier);
  CHECK(verifier == NULL);
}

static bandpass_key *known(char byte) {
  bandpass_key *key;
  DONE(bandpass_key_from_known_bytes(repeated(byte, 32), &key));
  return key;
}

static void keys(void) {
  bandpass_key *key;
  CODE("c.null", bandpass_key_generate(NULL));
  REFUSED("c.random", key, bandpass_key_generate(&key));
  CODE("c.null", bandpass_key_from_known_bytes(repeated(1, 32), NULL));
  REFUSED("c.null", key, bandpass_key_from_known_bytes(MISSING, &key));
  REFUSED("c.length", key, bandpass_key_from_known_bytes(NONE, &key));
  REFUSED("c.length", key, bandpass_key_from_known_bytes(repeated(1, 31), &key));
  REFUSED("c.length", key, bandpass_key_from_known_bytes(repeated(1, 33), &key));
  REFUSED("c.key", key, bandpass_key_from_known_bytes(repeated(0, 32), &key));
  REFUSED("c.key", key, bandpass_key_from_known_bytes(repeated('\xff', 32), &key));
}

static bandpass_band *tapped(void) {
  bandpass_key *key = known(1);
  bandpass_band *band;
  DONE(bandpass_band_by_nfc(key, repeated(7, 16), &band));
  bandpass_key_free(&key);
  return band;
}

static bandpass_reader *reading(const bandpass_band *band) {
  bandpass_bytes *engagement;
  bandpass_reader *reader;
  DONE(bandpass_band_engagement(band, &engagement));
  DONE(bandpass_reader_by_nfc(bandpass_bytes_view(engagement), NONE, &reader));
  bandpass_bytes_free(&engagement);
  return reader;
}

static void engagements(void) {
  bandpass_key *key = known(1);
  bandpass_band *band;
  bandpass_reader *reader;
  bandpass_bytes *bytes;
  REFUSED("c.null", band, bandpass_band_by_nfc(NULL, repeated(7, 16), &band));
  REFUSED("c.null", band, bandpass_band_by_qr(NULL, repeated(7, 16), &band));
  REFUSED("c.null", band, bandpass_band_by_handover(NULL, NONE, NONE, &band));
  CODE("c.null", bandpass_band_by_nfc(key, repeated(7, 16), NULL));
  CODE("c.null", bandpass_band_by_qr(key, repeated(7, 16), NULL));
  CODE("c.null", bandpass_band_by_handover(key, NONE, NONE, NULL));
  REFUSED("c.length", band, bandpass_band_by_nfc(key, repeated(7, 15), &band));
  REFUSED("c.length", band, bandpass_band_by_qr(key, repeated(7, 17), &band));
  REFUSED("c.null", band, bandpass_band_by_handover(key, MISSING, NONE, &band));
  REFUSED("c.null", bytes, bandpass_band_engagement(NULL, &bytes));
  /* None of these used the key up. */
  DONE(bandpass_band_by_qr(key, repeated(7, 16), &band));
  CODE("c.null", bandpass_band_engagement(band, NULL));
  bandpass_band *second;
  REFUSED("c.used", second, bandpass_band_by_qr(key, repeated(7, 16), &second));
  REFUSED("c.used", second, bandpass_band_by_nfc(key, repeated(7, 16), &second));
  REFUSED("c.used", second, bandpass_band_by_handover(key, NONE, NONE, &second));
  bandpass_key_free(&key);
  bandpass_band_free(&band);
  key = known(1);
  REFUSED("session.handover", band, bandpass_band_by_handover(key, GARBAGE, NONE, &band));
  bandpass_key_free(&key);
  key = known(2);
  band = tapped();
  DONE(bandpass_band_engagement(band, &bytes));
  REFUSED("session.other-key", second, bandpass_band_by_handover(key, bandpass_bytes_view(bytes), NONE, &second));
  bandpass_bytes_free(&bytes);
  bandpass_band_free(&band);
  bandpass_key_free(&key);

  CODE("c.null", bandpass_reader_by_nfc(NONE, NONE, NULL));
  CODE("c.null", bandpass_reader_by_qr(NONE, NULL));
  REFUSED("c.null", reader, bandpass_reader_by_nfc(MISSING, NONE, &reader));
  REFUSED("c.null", reader, bandpass_reader_by_qr(MISSING, &reader));
  REFUSED("session.handover", reader, bandpass_reader_by_nfc(NONE, NONE, &reader));
  REFUSED("session.handover", reader, bandpass_reader_by_nfc(GARBAGE, NONE, &reader));
  REFUSED("session.engagement", reader, bandpass_reader_by_qr(GARBAGE, &reader));
  REFUSED("session.engagement", reader, bandpass_reader_by_qr(bandpass_text("mdoc:"), &reader));
  REFUSED("c.null", bytes, bandpass_reader_service(NULL, &bytes));
}

static void sessions(void) {
  bandpass_band *band = tapped();
  bandpass_reader *reader = reading(band);
  bandpass_key *key = known(2);
  bandpass_session *of_band, *of_reader;
  bandpass_bytes *message, *request, *bytes;
  bandpass_received received;
  bandpass_view hello = bandpass_text("hello");
  CODE("c.null", bandpass_reader_service(reader, NULL));
  CODE("c.null", bandpass_reader_transcript(reader, key, NULL));
  REFUSED("c.null", bytes, bandpass_reader_transcript(NULL, key, &bytes));
  REFUSED("c.null", bytes, bandpass_reader_transcript(reader, NULL, &bytes));
  REFUSED("c.null", of_reader, bandpass_reader_establish(NULL, key, hello, &of_reader, &message));
  REFUSED("c.null", of_reader, bandpass_reader_establish(reader, NULL, hello, &of_reader, &message));
  REFUSED("c.null", message, bandpass_reader_establish(reader, key, hello, NULL, &message));
  REFUSED("c.null", of_reader, bandpass_reader_establish(reader, key, hello, &of_reader, NULL));
  REFUSED("c.null", message, bandpass_reader_establish(reader, key, MISSING, &of_reader, &message));
  DONE(bandpass_reader_establish(reader, key, hello, &of_reader, &message));
  REFUSED("c.used", bytes, bandpass_reader_service(reader, &bytes));
  REFUSED("c.used", bytes, bandpass_reader_transcript(reader, key, &bytes));
  bandpass_session *second;
  REFUSED("c.used", second, bandpass_reader_establish(reader, key, hello, &second, &bytes));
  bandpass_key_free(&key);
  key = known(3);
  REFUSED("c.used", second, bandpass_reader_establish(reader, key, hello, &second, &bytes));
  bandpass_reader_free(&reader);
  bandpass_key_free(&key);

  bandpass_view establishment = bandpass_bytes_view(message);
  REFUSED("c.null", of_band, bandpass_band_establish(NULL, establishment, &of_band, &request));
  REFUSED("c.null", request, bandpass_band_establish(band, establishment, NULL, &request));
  REFUSED("c.null", of_band, bandpass_band_establish(band, establishment, &of_band, NULL));
  REFUSED("c.null", request, bandpass_band_establish(band, MISSING, &of_band, &request));
  DONE(bandpass_band_establish(band, establishment, &of_band, &request));
  REFUSED("c.used", second, bandpass_band_establish(band, establishment, &second, &bytes));
  REFUSED("c.used", bytes, bandpass_band_engagement(band, &bytes));
  bandpass_band_free(&band);
  bandpass_bytes_free(&request);
  /* A band has one attempt, whatever is sent to it. */
  band = tapped();
  bandpass_view cut = {establishment.data, establishment.length - 1};
  REFUSED("session.malformed", second, bandpass_band_establish(band, cut, &second, &bytes));
  REFUSED("c.used", second, bandpass_band_establish(band, establishment, &second, &bytes));
  bandpass_band_free(&band);
  bandpass_bytes_free(&message);

  REFUSED("c.null", bytes, bandpass_session_seal(NULL, hello, &bytes));
  REFUSED("c.null", bytes, bandpass_session_seal(of_reader, MISSING, &bytes));
  CODE("c.null", bandpass_session_seal(of_reader, hello, NULL));
  REFUSED("c.null", bytes, bandpass_session_seal_last(NULL, hello, &bytes));
  CODE("c.null", bandpass_session_seal_last(of_reader, hello, NULL));
  REFUSED("c.null", bytes, bandpass_session_open(NULL, hello, &received, &bytes));
  REFUSED("c.null", bytes, bandpass_session_open(of_reader, hello, NULL, &bytes));
  REFUSED("c.null", bytes, bandpass_session_open(of_reader, MISSING, &received, &bytes));
  CODE("c.null", bandpass_session_open(of_reader, hello, &received, NULL));
  REFUSED("c.null", bytes, bandpass_session_terminate(NULL, &bytes));
  CODE("c.null", bandpass_session_terminate(of_reader, NULL));
  CODE("c.null", bandpass_session_closed(NULL));
  REFUSED("c.null", bytes, bandpass_session_transcript(NULL, &bytes));
  CODE("c.null", bandpass_session_transcript(of_reader, NULL));
  REFUSED("c.null", bytes, bandpass_session_digest(NULL, &bytes));
  CODE("c.null", bandpass_session_digest(of_reader, NULL));
  REFUSED("c.null", bytes, bandpass_session_binding(NULL, &bytes));
  CODE("c.null", bandpass_session_binding(of_reader, NULL));
  CODE("c.null", bandpass_reply(NULL, NULL));

  /* Sent twice: the second time it does not decrypt, and the other side is told so. */
  DONE(bandpass_session_seal(of_reader, hello, &message));
  DONE(bandpass_session_open(of_band, bandpass_bytes_view(message), &received, &bytes));
  bandpass_bytes_free(&bytes);
  REFUSED("session.encryption", bytes, bandpass_session_open(of_band, bandpass_bytes_view(message), &received, &bytes));
  REFUSED("session.ended", bytes, bandpass_session_open(of_band, bandpass_bytes_view(message), &received, &bytes));
  bandpass_bytes_free(&message);
  DONE(bandpass_reply("session.encryption", &message));
  REFUSED("session.peer-encryption", bytes,
          bandpass_session_open(of_reader, bandpass_bytes_view(message), &received, &bytes));
  bandpass_bytes_free(&message);
  static const char *const without_reply[] = {NULL, "", "session.ended", "holder.nonce", "c.used"};
  for (size_t place = 0; place < sizeof without_reply / sizeof *without_reply; place++) {
    DONE(bandpass_reply(without_reply[place], &bytes));
    CHECK(bytes == NULL);
  }
  bandpass_session_free(&of_band);
  bandpass_session_free(&of_reader);

  /* The transport closes. */
  band = tapped();
  reader = reading(band);
  key = known(2);
  DONE(bandpass_reader_establish(reader, key, hello, &of_reader, &message));
  CODE("session.cut", bandpass_session_closed(of_reader));
  bandpass_bytes_free(&message);
  bandpass_session_free(&of_reader);
  bandpass_key_free(&key);
  bandpass_reader_free(&reader);
  bandpass_band_free(&band);
}

static void links(void) {
  bandpass_link *link;
  bandpass_event event;
  bandpass_bytes *bytes;
  uint8_t characteristic;
  bandpass_view chunk = {"\0x", 2}, start = {"\1", 1};
  CODE("c.null", bandpass_link_of_band(23, NULL));
  CODE("c.null", bandpass_link_of_reader(23, NULL));
  REFUSED("session.mtu", link, bandpass_link_of_band(22, &link));
  REFUSED("session.mtu", link, bandpass_link_of_reader(0, &link));
  CODE("c.null", bandpass_link_start(NULL));
  CODE("c.null", bandpass_link_send(NULL, chunk));
  CODE("c.null", bandpass_link_end(NULL));
  REFUSED("c.null", bytes, bandpass_link_next(NULL, &characteristic, &bytes));
  REFUSED("c.null", bytes, bandpass_link_received(NULL, BANDPASS_STATE, start, &event, &bytes));
  DONE(bandpass_link_of_band(23, &link));
  CODE("session.order", bandpass_link_start(link));
  CODE("session.order", bandpass_link_send(link, chunk));
  REFUSED("c.null", bytes, bandpass_link_next(link, NULL, &bytes));
  CODE("c.null", bandpass_link_next(link, &characteristic, NULL));
  DONE(bandpass_link_next(link, &characteristic, &bytes));
  CHECK(bytes == NULL);
  REFUSED("c.null", bytes, bandpass_link_received(link, BANDPASS_STATE, start, NULL, &bytes));
  CODE("c.null", bandpass_link_received(link, BANDPASS_STATE, start, &event, NULL));
  REFUSED("c.null", bytes, bandpass_link_received(link, BANDPASS_STATE, MISSING, &event, &bytes));
  REFUSED("c.characteristic", bytes, bandpass_link_received(link, 0, start, &event, &bytes));
  REFUSED("c.characteristic", bytes, bandpass_link_received(link, 4, start, &event, &bytes));
  /* None of these ended it. */
  DONE(bandpass_link_received(link, BANDPASS_STATE, start, &event, &bytes));
  CODE("c.null", bandpass_link_send(link, MISSING));
  REFUSED("session.chunk", bytes, bandpass_link_received(link, BANDPASS_CLIENT_TO_SERVER, NONE, &event, &bytes));
  REFUSED("session.order", bytes, bandpass_link_received(link, BANDPASS_CLIENT_TO_SERVER, chunk, &event, &bytes));
  bandpass_link_free(&link);
}

int main(int argc, char **argv) {
  CHECK(argc == 5);
  verifiers(argv);
  keys();
  engagements();
  sessions();
  links();
  /* What is not there is freed as often as one likes, and is empty. */
  bandpass_bytes *bytes = NULL;
  bandpass_bytes_free(&bytes), bandpass_bytes_free(NULL);
  CHECK(bandpass_bytes_view(NULL).length == 0 && bandpass_text(NULL).length == 0);
  bandpass_verifier_free(NULL), bandpass_key_free(NULL), bandpass_band_free(NULL), bandpass_reader_free(NULL);
  bandpass_session_free(NULL), bandpass_link_free(NULL);
  return 0;
}

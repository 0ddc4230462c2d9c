/* Plays both sides of sessions that are known. A session is lines of base 16 (an empty one where there is nothing):
 * how it is engaged, as a word; the band's key; the reader's key; the service; the engagement; the handover's
 * request; the transcript; its digest; the reader's first message; the first request; then what is said in turn by
 * the band and by the reader, each as a word (`more`, or `last`, which ends the session), the plain text and the
 * message; and `end`. */
#include "check.h"

#define MOST 4096

struct line {
  char data[MOST];
  size_t length;
};

static int digit(char character) { return character >= 'a' ? character - 'a' + 10 : character - '0'; }

static bool read_text(struct line *line) {
  if (fgets(line->data, MOST, stdin) == NULL) return false;
  line->length = strcspn(line->data, "\n");
  line->data[line->length] = '\0';
  return true;
}

static bandpass_view view(const struct line *line) {
  bandpass_view bytes = {line->data, line->length};
  return bytes;
}

static bandpass_view read_bytes(struct line *line) {
  CHECK(read_text(line));
  line->length /= 2;
  for (size_t place = 0; place < line->length; place++)
    line->data[place] = (char)(digit(line->data[2 * place]) << 4 | digit(line->data[2 * place + 1]));
  return view(line);
}

static bandpass_view or_none(bandpass_view bytes) {
  if (bytes.length == 0) bytes.data = NULL;
  return bytes;
}

/* Whether what was handed out is this; it is freed. */
static bool is(bandpass_bytes *found, bandpass_view due) {
  CHECK(found != NULL);
  bool is_it = same(bandpass_bytes_view(found), due);
  bandpass_bytes_free(&found);
  return is_it && found == NULL;
}

/* A message over the air: in values from one end to the other, where it is whole again. */
static bandpass_bytes *carried(const bandpass_link *from, const bandpass_link *to, uint8_t through,
                               bandpass_view message) {
  DONE(bandpass_link_send(from, message));
  bandpass_bytes *whole = NULL, *value;
  uint8_t characteristic;
  for (;;) {
    DONE(bandpass_link_next(from, &characteristic, &value));
    if (value == NULL) return whole;
    CHECK(characteristic == through && whole == NULL);
    bandpass_event event;
    DONE(bandpass_link_received(to, characteristic, bandpass_bytes_view(value), &event, &whole));
    CHECK(event == (whole != NULL ? BANDPASS_EVENT_MESSAGE : BANDPASS_EVENT_CHUNK));
    bandpass_bytes_free(&value);
  }
}

/* A value of the state characteristic, which means this to the other end. */
static void told(const bandpass_link *from, const bandpass_link *to, bandpass_event due) {
  bandpass_bytes *value, *message;
  uint8_t characteristic;
  bandpass_event event;
  DONE(bandpass_link_next(from, &characteristic, &value));
  CHECK(characteristic == BANDPASS_STATE);
  DONE(bandpass_link_received(to, characteristic, bandpass_bytes_view(value), &event, &message));
  CHECK(event == due && message == NULL);
  bandpass_bytes_free(&value);
}

static struct line kind, band_key, reader_key, service, engagement, handover, transcript, digest, message, plain, said;

int main(void) {
  while (read_text(&kind)) {
    bool by_qr = strcmp(kind.data, "qr") == 0, by_handover = strcmp(kind.data, "handover") == 0;
    bandpass_key *key;
    bandpass_band *band;
    bandpass_reader *reader;
    bandpass_session *of_band, *of_reader;
    bandpass_link *band_end, *reader_end;
    bandpass_bytes *bytes, *request, *arrived;
    DONE(bandpass_link_of_band(23, &band_end));
    DONE(bandpass_link_of_reader(23, &reader_end));
    DONE(bandpass_link_start(reader_end));
    told(reader_end, band_end, BANDPASS_EVENT_STARTED);

    read_bytes(&band_key), read_bytes(&reader_key), read_bytes(&service);
    read_bytes(&engagement), read_bytes(&handover);
    DONE(bandpass_key_from_known_bytes(view(&band_key), &key));
    if (by_handover) DONE(bandpass_band_by_handover(key, view(&engagement), or_none(view(&handover)), &band));
    else if (by_qr) DONE(bandpass_band_by_qr(key, view(&service), &band));
    else DONE(bandpass_band_by_nfc(key, view(&service), &band));
    bandpass_key_free(&key);
    DONE(bandpass_band_engagement(band, &bytes));
    CHECK(is(bytes, view(&engagement)));

    if (by_qr) DONE(bandpass_reader_by_qr(view(&engagement), &reader));
    else DONE(bandpass_reader_by_nfc(view(&engagement), or_none(view(&handover)), &reader));
    /* A handover that was made elsewhere may be for another carrier. */
    if (service.length == 0) {
      CODE("session.carrier", bandpass_reader_service(reader, &bytes));
    } else {
      DONE(bandpass_reader_service(reader, &bytes));
      CHECK(is(bytes, view(&service)));
    }

    read_bytes(&transcript), read_bytes(&digest), read_bytes(&message), read_bytes(&plain);
    arrived = carried(reader_end, band_end, BANDPASS_CLIENT_TO_SERVER, view(&message));
    DONE(bandpass_band_establish(band, bandpass_bytes_view(arrived), &of_band, &request));
    bandpass_bytes_free(&arrived);
    bandpass_band_free(&band);
    if (plain.length != 0) CHECK(same(bandpass_bytes_view(request), view(&plain)));
    DONE(bandpass_key_from_known_bytes(view(&reader_key), &key));
    DONE(bandpass_reader_transcript(reader, key, &bytes));
    CHECK(is(bytes, view(&transcript)));
    DONE(bandpass_reader_establish(reader, key, bandpass_bytes_view(request), &of_reader, &bytes));
    bandpass_key_free(&key);
    bandpass_reader_free(&reader);
    CHECK(is(bytes, view(&message)));
    bandpass_bytes_free(&request);
    bandpass_session *sides[] = {of_band, of_reader};
    for (int side = 0; side < 2; side++) {
      DONE(bandpass_session_transcript(sides[side], &bytes));
      CHECK(is(bytes, view(&transcript)));
      DONE(bandpass_session_digest(sides[side], &bytes));
      CHECK(is(bytes, view(&digest)));
      DONE(bandpass_session_binding(sides[side], &bytes));
      bool is_reader = strstr(bandpass_bytes_view(bytes).data, "\"readerKey\"") != NULL;
      CHECK(is_reader == (side == 1));
      bandpass_bytes_free(&bytes);
    }

    bool over = false;
    for (bool by_band = true; read_text(&said) && strcmp(said.data, "end") != 0; by_band = !by_band) {
      over = strcmp(said.data, "last") == 0;
      read_bytes(&plain), read_bytes(&message);
      bandpass_session *from = sides[!by_band], *to = sides[by_band];
      if (over) DONE(bandpass_session_seal_last(from, view(&plain), &bytes));
      else DONE(bandpass_session_seal(from, view(&plain), &bytes));
      CHECK(is(bytes, view(&message)));
      arrived = by_band ? carried(band_end, reader_end, BANDPASS_SERVER_TO_CLIENT, view(&message))
                        : carried(reader_end, band_end, BANDPASS_CLIENT_TO_SERVER, view(&message));
      bandpass_received received;
      DONE(bandpass_session_open(to, bandpass_bytes_view(arrived), &received, &bytes));
      bandpass_bytes_free(&arrived);
      CHECK(received == (over ? BANDPASS_RECEIVED_LAST : BANDPASS_RECEIVED_DATA));
      CHECK(is(bytes, view(&plain)));
    }
    if (over) {
      DONE(bandpass_session_closed(of_band));
      DONE(bandpass_session_closed(of_reader));
      CODE("session.ended", bandpass_session_seal(of_reader, bandpass_text("more"), &bytes));
    } else {
      bandpass_received received;
      DONE(bandpass_session_terminate(of_reader, &bytes));
      DONE(bandpass_session_open(of_band, bandpass_bytes_view(bytes), &received, &arrived));
      CHECK(received == BANDPASS_RECEIVED_END && arrived == NULL);
      bandpass_bytes_free(&bytes);
    }
    DONE(bandpass_link_end(band_end));
    told(band_end, reader_end, BANDPASS_EVENT_ENDED);
    bandpass_session_free(&of_band);
    bandpass_session_free(&of_reader);
    bandpass_link_free(&band_end);
    bandpass_link_free(&reader_end);
    puts(kind.data);
  }
  return 0;
}

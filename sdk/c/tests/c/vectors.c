/* Verifies what comes on the standard input, and writes what becomes of it. Numbers have 4 bytes, the lowest first; bytes
 * come behind their number. Of each case there come the trust list, the time in text, how many status lists and those,
 * the token, the request. The code, or nothing, that of the explanation, and the answer are written. */
#include "check.h"

struct field {
  char *data;
  size_t length;
};

static bool read_number(uint32_t *number) {
  unsigned char bytes[4];
  if (fread(bytes, 1, sizeof bytes, stdin) != sizeof bytes) return false;
  *number = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
  return true;
}

/* In memory of just its size, so that a byte too many that is read is seen. */
static bool read_field(struct field *field) {
  uint32_t length;
  if (!read_number(&length)) return false;
  field->length = length;
  field->data = malloc(length ? length : 1);
  CHECK(field->data != NULL && fread(field->data, 1, length, stdin) == length);
  return true;
}

static bandpass_view view(const struct field *field) {
  bandpass_view bytes = {field->data, field->length};
  return bytes;
}

static void write_field(bandpass_view bytes) {
  unsigned char length[4] = {(unsigned char)bytes.length, (unsigned char)(bytes.length >> 8),
                             (unsigned char)(bytes.length >> 16), (unsigned char)(bytes.length >> 24)};
  fwrite(length, 1, sizeof length, stdout);
  if (bytes.length) fwrite(bytes.data, 1, bytes.length, stdout);
}

int main(void) {
  struct field trust, now, list, token, request;
  while (read_field(&trust)) {
    bandpass_verifier *verifier;
    bandpass_bytes *answer = NULL, *explanation = NULL;
    bandpass_code code = bandpass_verifier_open(view(&trust), false, &verifier, &answer);
    free(trust.data);
    CHECK(read_field(&now));
    unsigned long long time = 0;
    for (size_t place = 0; place < now.length; place++) time = time * 10 + (unsigned)(now.data[place] - '0');
    free(now.data);
    uint32_t lists;
    CHECK(read_number(&lists));
    for (; lists > 0; lists--) {
      CHECK(read_field(&list));
      if (code == NULL) {
        bandpass_bytes_free(&answer);
        code = bandpass_verifier_update_status(verifier, view(&list), time, &answer);
      }
      free(list.data);
    }
    CHECK(read_field(&token) && read_field(&request));
    bandpass_code explained = code;
    if (code == NULL) {
      bandpass_bytes_free(&answer);
      code = bandpass_verifier_verify(verifier, view(&token), view(&request), &answer);
      explained = bandpass_verifier_explain(verifier, view(&token), view(&request), &explanation);
      CHECK(explanation != NULL);
      bandpass_bytes_free(&explanation);
    }
    free(token.data);
    free(request.data);
    write_field(bandpass_text(code));
    write_field(bandpass_text(explained));
    write_field(bandpass_bytes_view(answer));
    fflush(stdout);
    bandpass_bytes_free(&answer);
    bandpass_verifier_free(&verifier);
  }
  return 0;
}

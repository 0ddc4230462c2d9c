/* Bandpass for C: verifies band tokens, and speaks the encrypted session of ISO/IEC 18013-5 between band and reader.
 *
 * Made by `UPDATE_DOCS=1 cargo test -p bandpass-c`.
 *
 * Refusals. Functions that can fail return null when they did what they are for, and otherwise a code, such as
 * `holder.nonce`: text that stays as it is, is never freed, and never changes its meaning. What begins with `c.` is a
 * mistake of the caller's, but for `c.random` and `c.panic`. On a refusal everything that is handed out is null.
 *
 * Ownership. What is handed out, handles and bytes, belongs to the caller, who frees it with the `_free` function of
 * its type; that makes the pointer null, and does nothing where it is null already. A place that it is handed out to
 * is written over without being looked at. What is passed in stays the caller's and is looked at during the call
 * alone. A handle that is used up (a key, a band, a reader) is still there to be freed; using it once more is
 * `c.used`.
 *
 * Null. Every pointer that is null where it must not be is `c.null`, and nothing was done.
 *
 * Threads. Any thread may call; two calls with the same handle wait for one another, which is why handles are passed as
 * `const`: what changes is behind a lock. Nobody frees what another still uses.
 *
 * Panics. None gets out of here: a mistake in this library is `c.panic`, and so is every later call with the handle
 * that was in use. Where memory runs out the process is aborted.
 *
 * Units. Times are seconds since 1970 (UTC), lengths are bytes, text is UTF-8, JSON is without byte order mark.
 */


#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define BANDPASS_MUST_USE __attribute__((warn_unused_result))
#else
#define BANDPASS_MUST_USE
#endif

/**
 * Number of a characteristic: start and end. With these numbers their UUIDs begin,
 * `00000001-A123-48CE-896B-4C76973373E6`.
 */
#define BANDPASS_STATE 1

/**
 * Number of a characteristic: what the reader sends.
 */
#define BANDPASS_CLIENT_TO_SERVER 2

/**
 * Number of a characteristic: what the band sends.
 */
#define BANDPASS_SERVER_TO_CLIENT 3

/**
 * What came from the other side.
 */
typedef enum {
  /**
   * A request or a response.
   */
  BANDPASS_RECEIVED_DATA,
  /**
   * The same, and nothing comes after it: the session is over.
   */
  BANDPASS_RECEIVED_LAST,
  /**
   * The session is over. Like every status this is not authenticated, and says nothing of who ended it.
   */
  BANDPASS_RECEIVED_END,
} bandpass_received;

/**
 * What a value meant.
 */
typedef enum {
  /**
   * The reader is ready; messages may come.
   */
  BANDPASS_EVENT_STARTED,
  /**
   * Part of a message.
   */
  BANDPASS_EVENT_CHUNK,
  /**
   * A whole message.
   */
  BANDPASS_EVENT_MESSAGE,
  /**
   * The other side has ended the link.
   */
  BANDPASS_EVENT_ENDED,
} bandpass_event;

/**
 * A band that has been engaged with, and waits for a reader.
 */
typedef struct bandpass_band bandpass_band;

/**
 * Bytes that were handed out. They belong to the caller, and are freed by `bandpass_bytes_free`.
 */
typedef struct bandpass_bytes bandpass_bytes;

/**
 * An ephemeral key for one session, which uses it up.
 */
typedef struct bandpass_key bandpass_key;

/**
 * One end of a connection in which both sides have subscribed and agreed on an MTU. What is refused ends it.
 */
typedef struct bandpass_link bandpass_link;

/**
 * A reader that has a band's engagement.
 */
typedef struct bandpass_reader bandpass_reader;

/**
 * An encrypted session. Whatever is refused ends it.
 */
typedef struct bandpass_session bandpass_session;

/**
 * A verifier: whom it trusts, the status lists that it took in, and what it remembers of credentials. Where several
 * threads verify at once each has its own, for one waits for the other.
 */
typedef struct bandpass_verifier bandpass_verifier;

/**
 * Bytes that belong to somebody else, who keeps them as they are for as long as they are looked at. Where `length`
 * is 0, `data` may be null.
 */
typedef struct {
  const void *data;
  /**
   * In bytes.
   */
  size_t length;
} bandpass_view;

/**
 * Null: it was done. Otherwise why it was not: a code such as `holder.nonce`, which stays as it is, and is never
 * freed.
 */
typedef const char *bandpass_code;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * What they are, until they are freed; nothing, of null. A zero stands behind them, so that text can be printed.
 */
bandpass_view bandpass_bytes_view(const bandpass_bytes *bytes);

/**
 * Frees them, and makes the pointer null.
 */
void bandpass_bytes_free(bandpass_bytes **bytes);

/**
 * Makes a verifier from a trust list (JSON). `remember`: whether a credential that came before costs one signature
 * less.
 *
 * `answer` may be null; otherwise it is null, or `{"error": ..}`.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_verifier_open(bandpass_view trust,
                                     bool remember,
                                     bandpass_verifier **verifier,
                                     bandpass_bytes **answer);

/**
 * Takes in a status list token, a JWT or a CWT. `now`: seconds since 1970. A list that is refused leaves that which
 * was there.
 *
 * `answer` may be null; otherwise it says what the list says of itself, in `{"uri", "issuedAt", "expires", "ttl",
 * "issuers"}`, or is `{"error": ..}`.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_verifier_update_status(const bandpass_verifier *verifier,
                                              bandpass_view token,
                                              uint64_t now,
                                              bandpass_bytes **answer);

/**
 * Verifies a token: null is returned if every check passed, and in no other case. `request` (JSON) says what the
 * token is judged by; README.md lists its members.
 *
 * `answer` may be null; otherwise it is an array with what each presentation proves, or `{"error": ..}`.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_verifier_verify(const bandpass_verifier *verifier,
                                       bandpass_view token,
                                       bandpass_view request,
                                       bandpass_bytes **answer);

/**
 * Comes to the same verdict as `bandpass_verifier_verify`, and says of every check what came of it: `{"code",
 * "section", "outcome"}`, whatever the verdict is. For people and tools. It is about one presentation, so `all` is
 * `c.request`.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_verifier_explain(const bandpass_verifier *verifier,
                                        bandpass_view token,
                                        bandpass_view request,
                                        bandpass_bytes **answer);

/**
 * Takes an SD-JWT apart: headers, payloads and disclosures (JSON). Nothing is verified.
 */
BANDPASS_MUST_USE bandpass_code bandpass_inspect(bandpass_view token, bandpass_bytes **answer);

/**
 * Frees a verifier, and makes the pointer null.
 */
void bandpass_verifier_free(bandpass_verifier **verifier);

/**
 * A fresh key, by the operating system's random bytes.
 */
BANDPASS_MUST_USE bandpass_code bandpass_key_generate(bandpass_key **key);

/**
 * A key from 32 bytes that are known: for vectors, and for devices with a generator of their own. A session whose
 * key came before, or can be guessed, protects nothing.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_key_from_known_bytes(bandpass_view bytes,
                                            bandpass_key **key);

/**
 * Frees a key, and makes the pointer null.
 */
void bandpass_key_free(bandpass_key **key);

/**
 * Engages by a tap. `service`: 16 random bytes, the UUID of the service that the band advertises, fresh for each
 * engagement. Uses up the key.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_band_by_nfc(const bandpass_key *key,
                                   bandpass_view service,
                                   bandpass_band **band);

/**
 * Engages by a QR code. `service` is as in `bandpass_band_by_nfc`. Uses up the key.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_band_by_qr(const bandpass_key *key,
                                  bandpass_view service,
                                  bandpass_band **band);

/**
 * Engages by a handover whose messages were made elsewhere. `request` is that of a negotiated one; null, of length
 * 0, if there is none. Uses up the key.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_band_by_handover(const bandpass_key *key,
                                        bandpass_view select,
                                        bandpass_view request,
                                        bandpass_band **band);

/**
 * What the reader is to get: the handover select message, or what the QR code says.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_band_engagement(const bandpass_band *band,
                                       bandpass_bytes **engagement);

/**
 * Takes the reader's `SessionEstablishment`; with the session comes its request. Uses up the band, whatever comes of
 * it: who sends a wrong message has the owner tap again.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_band_establish(const bandpass_band *band,
                                      bandpass_view message,
                                      bandpass_session **session,
                                      bandpass_bytes **request);

/**
 * Frees a band, and makes the pointer null.
 */
void bandpass_band_free(bandpass_band **band);

/**
 * A reader, by a handover select message as it was read from the band. `request` is what was sent before in a
 * negotiated handover; null, of length 0, if nothing was.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_reader_by_nfc(bandpass_view select,
                                     bandpass_view request,
                                     bandpass_reader **reader);

/**
 * A reader, by what a QR code says.
 */
BANDPASS_MUST_USE bandpass_code bandpass_reader_by_qr(bandpass_view code, bandpass_reader **reader);

/**
 * The UUID of the service that the band advertises: 16 bytes.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_reader_service(const bandpass_reader *reader,
                                      bandpass_bytes **service);

/**
 * `SessionTranscriptBytes` of the session that reader and key establish: what a first request is signed over by a
 * reader that says who it is. Uses up neither.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_reader_transcript(const bandpass_reader *reader,
                                         const bandpass_key *key,
                                         bandpass_bytes **transcript);

/**
 * Establishes the session with a first request. `message` is the `SessionEstablishment` to send. Uses up reader and
 * key, whatever comes of it.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_reader_establish(const bandpass_reader *reader,
                                        const bandpass_key *key,
                                        bandpass_view request,
                                        bandpass_session **session,
                                        bandpass_bytes **message);

/**
 * Frees a reader, and makes the pointer null.
 */
void bandpass_reader_free(bandpass_reader **reader);

/**
 * Encrypts a request or a response into a `SessionData` message.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_session_seal(const bandpass_session *session,
                                    bandpass_view plain,
                                    bandpass_bytes **message);

/**
 * The same, and terminates the session (status 20).
 */
BANDPASS_MUST_USE
bandpass_code bandpass_session_seal_last(const bandpass_session *session,
                                         bandpass_view plain,
                                         bandpass_bytes **message);

/**
 * Decrypts a `SessionData` message. `plain` is null where `received` is `BANDPASS_RECEIVED_END`. After a refusal the
 * session is over, and `bandpass_reply` has what to tell the other side.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_session_open(const bandpass_session *session,
                                    bandpass_view message,
                                    bandpass_received *received,
                                    bandpass_bytes **plain);

/**
 * Ends the session; the message says so to the other side (status 20).
 */
BANDPASS_MUST_USE
bandpass_code bandpass_session_terminate(const bandpass_session *session,
                                         bandpass_bytes **message);

/**
 * To be called when the transport has closed. `session.cut` if the session was not over: what the other side still
 * had to say is missing.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_session_closed(const bandpass_session *session);

/**
 * `SessionTranscriptBytes`: what band and reader sign or authenticate in this session.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_session_transcript(const bandpass_session *session,
                                          bandpass_bytes **transcript);

/**
 * SHA-256 of the transcript, 32 bytes: what the band profile calls `session`.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_session_digest(const bandpass_session *session,
                                      bandpass_bytes **digest);

/**
 * The `binding` of a request for `bandpass_verifier_verify` (JSON): what is shown must have been made for this
 * session. A reader's has the private half of its ephemeral key in it, which checking a MAC takes: a secret.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_session_binding(const bandpass_session *session,
                                       bandpass_bytes **binding);

/**
 * Frees a session, and makes the pointer null.
 */
void bandpass_session_free(bandpass_session **session);

/**
 * The message that tells the other side of a refusal, where the standard has a status for it (10 or 11); null where
 * it has none. `code` is what `bandpass_session_open` or `bandpass_band_establish` returned.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_reply(bandpass_code code,
                             bandpass_bytes **message);

/**
 * The end of the band, GATT server.
 */
BANDPASS_MUST_USE bandpass_code bandpass_link_of_band(uint16_t mtu, bandpass_link **link);

/**
 * The end of the reader, GATT client.
 */
BANDPASS_MUST_USE bandpass_code bandpass_link_of_reader(uint16_t mtu, bandpass_link **link);

/**
 * Starts, as a reader does first. `bandpass_link_next` has what to send.
 */
BANDPASS_MUST_USE bandpass_code bandpass_link_start(const bandpass_link *link);

/**
 * Sends a message. `bandpass_link_next` has the values that it goes as.
 */
BANDPASS_MUST_USE bandpass_code bandpass_link_send(const bandpass_link *link, bandpass_view message);

/**
 * Ends the link. `bandpass_link_next` has the value that tells the other side, after what was still to be sent.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_link_end(const bandpass_link *link);

/**
 * The next value to write to a characteristic without response (reader), or to notify of (band). `value` is null
 * when there is none.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_link_next(const bandpass_link *link,
                                 uint8_t *characteristic,
                                 bandpass_bytes **value);

/**
 * Takes a value that came. `message` is null unless `event` is `BANDPASS_EVENT_MESSAGE`.
 */
BANDPASS_MUST_USE
bandpass_code bandpass_link_received(const bandpass_link *link,
                                     uint8_t characteristic,
                                     bandpass_view value,
                                     bandpass_event *event,
                                     bandpass_bytes **message);

/**
 * Frees a link, and makes the pointer null.
 */
void bandpass_link_free(bandpass_link **link);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/** Text as bytes, without the zero at its end; nothing, of null. */
static inline bandpass_view bandpass_text(const char *text) {
  bandpass_view view = {text, text ? strlen(text) : 0};
  return view;
}

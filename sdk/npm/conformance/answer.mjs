// What the package makes of a vector, as conformance/README.md says. Runs wherever the package does.

/** Of a demand or another requirement: the package's name for it. */
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

const renamed = (members) => Object.fromEntries(Object.entries(members).map(([name, value]) => [camel(name), value]));

/** A status list token: one with a dot is a JWT, anything else base64url of a CWT, or nothing that it should be. */
function statusListToken(token) {
  if (token.includes(".") || !/^[\w-]*$/.test(token)) return token;
  try {
    const binary = atob(token.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return token;
  }
}

export async function answer({ createVerifier, BandpassError }, { name, trust, status_lists = [], vp_token, expected }) {
  const { now, query_id, requirements = {}, ...challenge } = expected;
  const time = new Date(now * 1000);
  try {
    const statusLists = status_lists.map(statusListToken);
    const verifier = await createVerifier({ trust: JSON.stringify(trust), statusLists, now: time });
    try {
      const query = query_id ? { query: query_id } : {};
      const asked = { ...renamed(challenge), ...query, now: time, require: renamed(requirements) };
      const { claims, transactions } = verifier.verify(vp_token, asked);
      return { name, result: "accepted", claims, transactions: transactions.map(({ id }) => id ?? null) };
    } finally {
      verifier.free();
    }
  } catch (error) {
    if (!(error instanceof BandpassError)) throw error;
    return { name, result: "refused", code: error.code, error: error.message };
  }
}

export async function answers(verifier, vectors) {
  const found = [];
  for (const vector of vectors) found.push(await answer(verifier, vector));
  return found;
}

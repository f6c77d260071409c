// Who is signed in: one session for all tabs of GraphiQL, kept over reloads and refreshed when its token expires.
const KEY = 'gqlapi:session';
const FIELDS = 'accessToken refreshToken user { username role } errors { message }';
const SIGN_IN = `mutation SignIn($input: SignInInput!) { signIn(input: $input) { ${FIELDS} } }`;
const REFRESH = `mutation Refresh($input: RefreshSessionInput!) { refreshSession(input: $input) { ${FIELDS} } }`;
const SIGN_OUT = 'mutation SignOut { signOut(input: {}) { signedOut } }';
const VIEWER = '{ viewer { username role } }';

export function createSession(url, storage) {
  const listeners = new Set();
  const read = () => JSON.parse(storage.getItem(KEY));
  let current = storage.getItem(KEY);

  function write(session) {
    if (session) storage.setItem(KEY, JSON.stringify(session));
    else storage.removeItem(KEY);
    current = storage.getItem(KEY);
    listeners.forEach((listener) => listener());
  }

  async function post(query, variables, token) {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/graphql-response+json, application/json',
        ...(token && { Authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    if (errors) throw new Error(errors[0].message);
    return data;
  }

  function accept({ accessToken, refreshToken, user, errors }) {
    if (errors.length) throw new Error(errors[0].message);
    write({ accessToken, refreshToken, user });
  }

  // A refresh token is used once. Windows of one browser share it, so the second one finds what the first one got.
  async function refresh(expired) {
    const session = read();
    if (!session?.refreshToken || session.accessToken !== expired) return;
    try {
      accept((await post(REFRESH, { input: { refreshToken: session.refreshToken } })).refreshSession);
    } catch {
      write(null);
    }
  }
  const alone = (task) => (navigator.locks ? navigator.locks.request(KEY, task) : task());

  function withToken(init, token) {
    const headers = new Headers(init.headers);
    headers.set('Authorization', `Bearer ${token}`);
    return { ...init, headers };
  }

  // Seconds since 1970 at which a JSON Web Token expires; any other token does so when its server says.
  function expiry(token) {
    try {
      return JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))).exp;
    } catch {
      return Infinity;
    }
  }

  return {
    // For a WebSocket, which cannot be asked again after a 401.
    async authorization() {
      const token = read()?.accessToken;
      if (token && expiry(token) <= Date.now() / 1000) await alone(() => refresh(token));
      const valid = read()?.accessToken;
      return valid && `Bearer ${valid}`;
    },
    // A tab that has its own header Authorization sends that.
    async fetch(input, init) {
      const token = read()?.accessToken;
      if (!token || new Headers(init.headers).has('Authorization')) return fetch(input, init);
      const response = await fetch(input, withToken(init, token));
      if (response.status !== 401) return response;
      await alone(() => refresh(token));
      const renewed = read()?.accessToken;
      return renewed && renewed !== token ? fetch(input, withToken(init, renewed)) : response;
    },
    async signIn(login, password) {
      accept((await post(SIGN_IN, { input: { login, password } })).signIn);
    },
    async acceptToken(token) {
      const { viewer } = await post(VIEWER, {}, token);
      write({ accessToken: token, user: viewer });
    },
    async signOut() {
      const session = read();
      write(null);
      if (session?.refreshToken) await post(SIGN_OUT, {}, session.accessToken).catch(() => {});
    },
    subscribe(listener) {
      const changed = (event) => event.key === KEY && ((current = storage.getItem(KEY)), listener());
      listeners.add(listener);
      addEventListener('storage', changed);
      return () => {
        listeners.delete(listener);
        removeEventListener('storage', changed);
      };
    },
    // Text, so that React sees whether it has changed.
    snapshot: () => current,
  };
}

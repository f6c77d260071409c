import { useActionState } from 'react';
import { client } from '../client';
import { graphql } from '../gql';
import { type Problem, Problems, problemsOf } from '../parts/problems';
import { go } from '../router';
import { keepTokens } from '../session';

const SignIn = graphql(`
  mutation SignIn($input: SignInInput!) {
    signIn(input: $input) { ...Tokens }
  }
`);

export function SignInPage() {
  const [problems, submit, isPending] = useActionState(
    (_: readonly Problem[], form: FormData) =>
      problemsOf(async () => {
        const input = { login: String(form.get('login')), password: String(form.get('password')) };
        const { data } = await client.mutate({ mutation: SignIn, variables: { input } });
        const errors = keepTokens(data.signIn);
        if (errors.length === 0) {
          // What was read as a visitor is read again as the user.
          await client.resetStore();
          go('/');
        }
        return errors;
      }),
    [],
  );
  return (
    <>
      <title>Sign in</title>
      <h1>Sign in</h1>
      <form action={submit} className="narrow">
        <label>
          User name or e-mail address
          <input name="login" autoComplete="username" required />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <Problems problems={problems} />
        <button disabled={isPending}>Sign in</button>
      </form>
    </>
  );
}

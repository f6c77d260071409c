export interface Problem {
  message: string;
  path?: readonly string[] | null;
}

/** The errors of a form. */
export function Problems({ problems }: { problems: readonly Problem[] }) {
  if (problems.length === 0) return null;
  return (
    <ul className="problems" role="alert">
      {problems.map(({ message, path }) => (
        <li key={`${path} ${message}`}>
          {path && <strong>{path.join(' ')}: </strong>}
          {message}
        </li>
      ))}
    </ul>
  );
}

/** Run a request of a form, and return its errors. A failure is one of them, so that nothing typed is lost. */
export async function problemsOf(request: () => Promise<readonly Problem[]>): Promise<readonly Problem[]> {
  try {
    return await request();
  } catch (error) {
    return [{ message: error instanceof Error ? error.message : String(error) }];
  }
}

const FORMAT = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });

export function Day({ at }: { at: string }) {
  return <time dateTime={at}>{FORMAT.format(new Date(at))}</time>;
}

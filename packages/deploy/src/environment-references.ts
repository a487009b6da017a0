/** One reference in a text. */
export interface Reference {
  readonly name: string;
  readonly hasDefault: boolean;
}

const pattern = /\\\$|\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(:-)?)/g;

/** The variables that a value of an INI file refers to, in their order; `\$` is a literal dollar. Those in defaults count as well. */
export function environmentReferences(text: string): Reference[] {
  return [...text.matchAll(pattern)].flatMap(([, plain, braced, withDefault]) => {
    const name = plain ?? braced;
    return name === undefined ? [] : [{ name, hasDefault: withDefault !== undefined }];
  });
}

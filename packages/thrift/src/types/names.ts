/**
 * Gives each thing of a module, or of a list of parameters, a name that nothing else has there. Who asks first gets
 * the name that it asks for.
 */
export class Names {
  readonly #taken: Set<string>;

  /** @param taken names that nothing may have */
  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** `wanted`, or the first of `wanted2`, `wanted3`, … that is free. */
  take(wanted: string): string {
    let name = wanted;
    for (let count = 2; this.#taken.has(name); count++) name = `${wanted}${count}`;
    this.#taken.add(name);
    return name;
  }
}

/** What can't be the name of a type in TypeScript: its own types, and JavaScript's keywords. */
export const reservedTypeNames: readonly string[] = words(
  `any unknown never object string number bigint boolean symbol undefined void null globalThis
   break case catch class const continue debugger default delete do else enum export extends false finally for function if import in
   instanceof new return super switch this throw true try typeof var while with
   implements interface let package private protected public static yield await arguments eval`,
);

/** What can't be the name of a parameter. */
export const reservedParameterNames: readonly string[] = [...reservedTypeNames, "async", "of"];

/** What a member's name means something else as, before what follows. */
const modifiers: ReadonlySet<string> = new Set(
  words(
    "new get set readonly static async declare abstract override accessor public private protected out in const export default __proto__",
  ),
);

/** The name of a property or method, in quotes where it needs them. */
export function memberName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) && !modifiers.has(name) ? name : JSON.stringify(name);
}

function words(text: string): string[] {
  return text.split(/\s+/);
}

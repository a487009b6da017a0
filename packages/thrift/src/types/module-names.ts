import type { Enum, Idl, Service, Struct } from "../idl/model.ts";
import { nearestFirst } from "../idl/visible-names.ts";
import { Names, reservedTypeNames } from "./names.ts";

/** The names of TypeScript that a module refers to. */
export type GlobalName = "Buffer" | "Error" | "Map" | "Omit" | "Promise" | "Readonly" | "Set";

/** The types of a service. */
export interface ServiceNames {
  readonly handler: string;
  readonly contextHandler: string;
  readonly client: string;
}

/**
 * The names of everything in a module that is written of a .thrift file: one for each definition, wherever it is
 * referred to. What the file defines has its own names; then come the types that are made of its services and
 * exceptions, then the definitions of what it includes. Who finds a name taken gets a number.
 */
export class ModuleNames {
  readonly definitions: string;
  readonly context: string;
  readonly #names = new Names(reservedTypeNames);
  readonly #types = new Map<Enum | Struct, string>();
  /** `NotFoundFields`, `ColourValues`: what is written beside a type. */
  readonly #companions = new Map<Enum | Struct, string>();
  readonly #services = new Map<Service, ServiceNames>();

  constructor(idl: Idl) {
    this.#takeTypes(idl);
    for (const service of idl.services.values()) {
      this.#services.set(service, {
        handler: this.#names.take(`${service.name}Handler`),
        contextHandler: this.#names.take(`${service.name}ContextHandler`),
        client: this.#names.take(`${service.name}Client`),
      });
    }
    this.definitions = this.#names.take("Definitions");
    this.context = this.#names.take("ThriftContext");
    this.#takeCompanions(idl);
    for (const included of nearestFirst(idl)) {
      this.#takeTypes(included);
      this.#takeCompanions(included);
    }
  }

  /** The name of a struct, union, exception or enum. */
  type(definition: Enum | Struct): string {
    // One that is not of these files can't be: types lead to included files only.
    return this.#types.get(definition) ?? definition.name;
  }

  companion(definition: Enum | Struct): string {
    return this.#companions.get(definition) ?? definition.name;
  }

  service(service: Service): ServiceNames {
    return this.#services.get(service) as ServiceNames;
  }

  /** A type of TypeScript, by a longer name where the IDL has one of its name. */
  global(name: GlobalName): string {
    return this.#names.has(name) ? `globalThis.${name}` : name;
  }

  #takeTypes({ structs, enums }: Idl): void {
    for (const definition of [...structs.values(), ...enums.values()]) this.#types.set(definition, this.#names.take(definition.name));
  }

  #takeCompanions({ structs, enums }: Idl): void {
    for (const struct of structs.values())
      if (struct.kind === "exception") this.#companions.set(struct, this.#names.take(`${this.type(struct)}Fields`));
    for (const each of enums.values()) this.#companions.set(each, this.#names.take(`${this.type(each)}Values`));
  }
}

import type { AwsOpeners, SnsApi, SqsApi } from "./connection.ts";

/** What a command of the SDK is here: its name, without `Command`, and its input. */
export interface Asked {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** An error as the SDK throws it. */
export function awsError(name: string, message = "a fault", code?: string): Error {
  return Object.assign(new Error(message), { name, ...(code === undefined ? {} : { code }) });
}

/** Answers what is asked of AWS, for tests of the code beside this: as a function of the command and its input, in memory. */
export class FakeAws {
  readonly asked: Asked[] = [];
  /** By the name of the command; what is not here is answered with an empty object. */
  readonly answers: Map<string, (input: Asked["input"]) => unknown> = new Map();

  constructor(answers: Readonly<Record<string, (input: Asked["input"]) => unknown>> = {}) {
    for (const [name, answer] of Object.entries(answers)) this.answers.set(name, answer);
  }

  inputsOf(name: string): Asked["input"][] {
    return this.asked.filter((each) => each.name === name).map(({ input }) => input);
  }

  /** For what opens its clients itself. */
  get openers(): AwsOpeners {
    return { sqs: () => Promise.resolve(this.api), sns: () => Promise.resolve(this.api) };
  }

  /** Both clients at once: each command is known by its name. */
  get api(): SqsApi & SnsApi {
    // A library in which every name that ends in `Command` is a class.
    const library = new Proxy({}, { get: (_, name) => commandNamed(String(name)) });
    const client = {
      send: async (command: Asked): Promise<unknown> => {
        this.asked.push(command);
        return (await this.answers.get(command.name)?.(command.input)) ?? {};
      },
      destroy: () => undefined,
    };
    return { library, client } as unknown as SqsApi & SnsApi;
  }
}

function commandNamed(name: string): new (input: Asked["input"]) => Asked {
  return class {
    readonly name = name.replace(/Command$/, "");
    readonly input: Asked["input"];

    constructor(input: Asked["input"]) {
      this.input = input;
    }
  };
}

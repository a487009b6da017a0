/** What a greeting may be like. */
enum Tone {
  PLAIN = 1,
  LOUD = 2,
}

struct Greeting {
  1: required string text,
  2: Tone tone = Tone.PLAIN,
  /** Milliseconds since 1970. */
  3: optional i64 said_at,
}

/** There is nobody of that name. */
exception NotFound {
  1: string who,
}

service Echo {
  /** Gives back what it gets. */
  Greeting echo(1: Greeting greeting),
  Greeting greet(1: string name, 2: Tone tone = Tone.PLAIN) throws (1: NotFound not_found),
  oneway void forget(1: string name),
}

import { isGauge, type Aggregator, type Labels, type MetricFamily, type Series } from "@tsserve/server";

/** What a series is, whoever counts it. There is one of these for each, however many processes have it. */
export interface Definition {
  readonly key: string;
  readonly family: MetricFamily;
  readonly labels: Labels;
  readonly suffix: string;
  readonly cells: number;
  readonly isGauge: boolean;
}

const types: ReadonlySet<unknown> = new Set(["counter", "gauge", "histogram", "summary"]);

/** All series that this process has heard of, by key: what is known is not read again. */
export class Definitions {
  readonly #byKey = new Map<string, Definition>();
  readonly #families = new Map<string, MetricFamily>();

  of({ key, family, labels, suffix, cells }: Series): Definition {
    return (
      this.#byKey.get(key) ?? this.#add({ key, family: this.#family(family), labels, suffix, cells, isGauge: isGauge({ family, suffix }) })
    );
  }

  known(key: string): Definition | undefined {
    return this.#byKey.get(key);
  }

  /**
   * Reads a key that another process has written.
   *
   * @returns `undefined` when it is none
   */
  parse(key: string, help: string, aggregator: Aggregator | undefined): Definition | undefined {
    const parsed = parseKey(key);
    if (parsed === undefined) return undefined;
    const [name, type, labels, suffix, buckets] = parsed;
    const family = this.#family({ name, help, type, ...(aggregator && { aggregator }), ...(buckets && { buckets }) });
    const cells = type === "histogram" ? (buckets?.length ?? 0) + 2 : 1;
    return this.#add({ key, family, labels, suffix, cells, isGauge: isGauge({ family, suffix }) });
  }

  #add(definition: Definition): Definition {
    this.#byKey.set(definition.key, definition);
    return definition;
  }

  /** There are few, and each has many series. */
  #family(family: MetricFamily): MetricFamily {
    const key = `${family.name} ${family.type} ${family.buckets?.join(",") ?? ""}`;
    const known = this.#families.get(key);
    if (known !== undefined) return known;
    this.#families.set(key, family);
    return family;
  }
}

type Key = readonly [name: string, type: MetricFamily["type"], labels: Labels, suffix: string, buckets: readonly number[] | null];

function parseKey(text: string): Key | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || value.length !== 5) return undefined;
  const [name, type, labels, suffix, buckets] = value as unknown[];
  const isSound =
    typeof name === "string" &&
    types.has(type) &&
    typeof labels === "object" &&
    labels !== null &&
    Object.values(labels).every((label) => typeof label === "string") &&
    typeof suffix === "string" &&
    (buckets === null || (Array.isArray(buckets) && buckets.every((bound) => typeof bound === "number")));
  return isSound ? (value as unknown as Key) : undefined;
}

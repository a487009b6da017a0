/** One object for Kubernetes, as it is printed. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

/** Recommended by Kubernetes' documentation ("Recommended Labels"); the first one selects the pods. */
export function labelsOf(name: string): Record<string, string> {
  return { "app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "tsserve" };
}

export function selectorOf(name: string): Record<string, string> {
  return { "app.kubernetes.io/name": name };
}

/** The names of the ports of a pod, which the other objects refer to. */
export const portNames = { server: "server", metrics: "metrics" } as const;

/** Where the pods' non-secret variables come from. */
export function environmentMapName(name: string): string {
  return `${name}-environment`;
}

/** Where the INI file is. */
export function configMapName(name: string): string {
  return `${name}-config`;
}

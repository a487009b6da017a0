/** What installs a project's dependencies. `none`: npm, without a lock file. */
export type PackageManager = "npm" | "pnpm" | "yarn" | "yarn-classic" | "none";

/** How an image is filled. */
export interface ImageSteps {
  /** What decides on the dependencies: while these files stay, the layer is kept. */
  readonly files: readonly string[];
  readonly install: string;
  /** Builds the project, where it has such a script, and then takes away what only that needs. */
  readonly build: string;
  readonly comment?: string;
  /** Variables of these steps. */
  readonly environment?: string;
}

/** Lock files, and what writes them. An image is filled by the first that is there. */
const lockFiles = [
  ["package-lock.json", "npm"],
  ["npm-shrinkwrap.json", "npm"],
  ["pnpm-lock.yaml", "pnpm"],
  ["yarn.lock", "yarn"],
] as const;

/**
 * Tells the package manager by its lock file.
 *
 * @param read the text of a file in the project's root; `undefined` where there is none
 */
export function packageManagerOf(read: (name: string) => string | undefined): PackageManager {
  for (const [file, manager] of lockFiles) {
    const text = read(file);
    // Yarn writes this into its lock files since its version 2.
    if (text !== undefined) return manager === "yarn" && !/^__metadata:/m.test(text) ? "yarn-classic" : manager;
  }
  return "none";
}

/** npm runs the script for all of them: it is in the image, and knows what to do where there is none. */
const buildScript = "npm run build --if-present";

export const imageSteps: Readonly<Record<PackageManager, ImageSteps>> = {
  npm: {
    files: ["package.json", "package-lock.json*", "npm-shrinkwrap.json*"],
    install: "npm ci",
    build: `${buildScript} && npm prune --omit=dev`,
  },
  none: {
    files: ["package.json"],
    install: "npm install",
    build: `${buildScript} && npm prune --omit=dev`,
    comment: "The project has no lock file: what is installed can be another thing tomorrow.",
  },
  pnpm: {
    files: ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml*"],
    install: "corepack enable && pnpm install --frozen-lockfile",
    build: "pnpm run --if-present build && CI=true pnpm prune --prod",
  },
  yarn: {
    files: ["package.json", "yarn.lock", ".yarnrc.yml*"],
    install: "corepack enable && yarn install --immutable",
    build: `${buildScript} && yarn workspaces focus --all --production`,
    comment: "With a folder node_modules: the command is started from there, without Yarn.",
    environment: "YARN_NODE_LINKER=node-modules",
  },
  "yarn-classic": {
    files: ["package.json", "yarn.lock"],
    install: "yarn install --frozen-lockfile",
    build: `${buildScript} && yarn install --frozen-lockfile --production --ignore-scripts --prefer-offline`,
  },
};

/** The command of tsserve in the generated image, from the project's folder: without npm or a shell, which would keep the signals from it. */
export const imageCommand: readonly string[] = ["node", "node_modules/tsserve/bin/tsserve.js"];

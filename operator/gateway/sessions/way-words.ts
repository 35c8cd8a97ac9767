/** The way that a request went. */
export interface Way {
  readonly tunnel: string;
  /** It went to the API server by spec.fallback, not into the tunnel. */
  readonly isDirect?: boolean;
}

/** What people are told of a way, its ends and who stands there. */
export interface WayWords {
  readonly way: string;
  /** Who asks the API server. */
  readonly asker: string;
  readonly server: string;
  /** How an answer comes. */
  readonly through: string;
}

/** The words for a way. */
export function wordsOf({ tunnel, isDirect = false }: Way): WayWords {
  const way = `tunnel "${tunnel}"`;
  if (!isDirect) {
    return { way, asker: `the agent of ${way}`, server: `the API server behind ${way}`, through: `through ${way}` };
  }
  const fallback = `the fallback of ${way}`;
  return { way: fallback, asker: fallback, server: `the API server that ${fallback} asks`, through: `by ${fallback}` };
}

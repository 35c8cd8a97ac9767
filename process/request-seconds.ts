/** Buckets of histograms of ordinary requests, in seconds: the same at gateway and agent, so that one can be read beside the other. */
export const REQUEST_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10];

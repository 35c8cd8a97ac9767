import { heldHeapBytes } from '../heap.ts';
import { serve } from '../serve.ts';

/** Loaded before a program of ours, it tells whoever started it what its heap holds. */

const methods = { heap: () => heldHeapBytes() };

serve(methods);

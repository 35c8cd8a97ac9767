import type { FrameType } from './codes.ts';
import type { Document, Slots } from './documents.ts';
import type { RawHeaders, RequestHead, ResponseHead } from './head.ts';

/** Everything that can stand on the wire, decoded. `streamId` is 0 for frames of the session. */
export type Frame =
  | {
      readonly type: typeof FrameType.Data;
      readonly streamId: number;
      readonly isEnd: boolean;
      readonly data: Uint8Array;
    }
  | { readonly type: typeof FrameType.Trailers; readonly streamId: number; readonly trailers: RawHeaders }
  | {
      readonly type: typeof FrameType.Open;
      readonly streamId: number;
      readonly isEnd: boolean;
      readonly head: RequestHead;
    }
  | {
      readonly type: typeof FrameType.Head;
      readonly streamId: number;
      readonly isEnd: boolean;
      readonly head: ResponseHead;
    }
  | { readonly type: typeof FrameType.Reset; readonly streamId: number; readonly code: number; readonly detail: string }
  | {
      readonly type: typeof FrameType.Refused;
      readonly streamId: number;
      readonly code: number;
      readonly detail: string;
    }
  | { readonly type: typeof FrameType.Window; readonly streamId: number; readonly creditBytes: number }
  | { readonly type: typeof FrameType.Slots; readonly slots: Slots }
  | { readonly type: typeof FrameType.Ping; readonly token: number }
  | { readonly type: typeof FrameType.Pong; readonly token: number }
  | { readonly type: typeof FrameType.Hello; readonly document: Document }
  | { readonly type: typeof FrameType.Welcome; readonly document: Document }
  | { readonly type: typeof FrameType.Health; readonly document: Document }
  | { readonly type: typeof FrameType.Config; readonly document: Document }
  | { readonly type: typeof FrameType.Goaway; readonly document: Document };

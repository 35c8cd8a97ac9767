import { expect } from 'chai';
import fc from 'fast-check';
import { RequestBody } from '../../upstream/request-body.ts';
import { turn } from '../support/transport-pair.ts';

describe('upstream/request-body', () => {
  it('gives credit back when the reader asks for the next chunk, not before', async () => {
    const consumed: number[] = [];
    const body = new RequestBody((bytes) => consumed.push(bytes));
    body.push(Buffer.from('first'));
    body.push(Buffer.from('second'));
    expect(consumed).to.deep.equal([]);
    const reader = body[Symbol.asyncIterator]();
    await reader.next();
    expect(consumed).to.deep.equal([]);
    await reader.next();
    expect(consumed).to.deep.equal([5]);
    body.end();
    expect((await reader.next()).done).to.equal(true);
    expect(consumed).to.deep.equal([5, 6]);
    expect(body.owedBytes).to.equal(0);
  });

  it('wakes a reader that waits', async () => {
    const body = new RequestBody(() => {});
    const reader = body[Symbol.asyncIterator]();
    const next = reader.next();
    await turn();
    body.push(Buffer.from('x'));
    expect(Buffer.from((await next).value as Uint8Array).toString()).to.equal('x');
  });

  it('is empty when nothing came and nothing will', () => {
    const body = new RequestBody(() => {});
    expect(body.isEmpty).to.equal(false);
    body.end();
    expect(body.isEmpty).to.equal(true);
  });

  it('fails its reader when discarded, even after the end: a cut body never looks complete', async () => {
    const body = new RequestBody(() => {});
    const reader = body[Symbol.asyncIterator]();
    body.push(Buffer.from('x'));
    await reader.next();
    body.end();
    body.discard(new Error('gone'));
    const error: unknown = await reader.next().catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(Error).with.property('message', 'gone');
  });

  it('copies a small chunk that would keep a large message alive', async () => {
    const message = Buffer.alloc(100_000, 1);
    const body = new RequestBody(() => {});
    body.push(message.subarray(0, 10));
    const { value } = await body[Symbol.asyncIterator]().next();
    expect((value as Uint8Array).buffer.byteLength).to.be.below(100_000);
  });

  it('property: all credit comes back, whatever is read and whenever it is discarded', async () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 1, max: 500 }), fc.constantFrom('read', 'discard')));
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        let consumed = 0;
        let pushed = 0;
        let waiting = 0;
        const body = new RequestBody((bytes) => {
          consumed += bytes;
        });
        const reader = body[Symbol.asyncIterator]();
        for (const step of script) {
          if (step === 'discard') body.discard(new Error('gone'));
          else if (step !== 'read') {
            pushed += step;
            waiting += 1;
            body.push(Buffer.alloc(step));
          } else if (waiting > 0) {
            waiting -= 1;
            await reader.next().catch(() => {});
          }
          expect(consumed + body.owedBytes).to.equal(pushed);
        }
        body.discard(new Error('gone'));
        expect(consumed).to.equal(pushed);
      }),
    );
  });
});

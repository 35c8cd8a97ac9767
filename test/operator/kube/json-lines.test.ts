import { expect } from 'chai';
import fc from 'fast-check';
import { jsonLines } from '../../../operator/kube/json-lines.ts';

async function* chunksOf(text: string, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let rest = Buffer.from(text);
  for (let index = 0; rest.length > 0; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    yield rest.subarray(0, size);
    rest = rest.subarray(size);
  }
}

async function read(text: string, sizes: readonly number[] = [1_000]): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of jsonLines(chunksOf(text, sizes))) values.push(value);
  return values;
}

describe('operator/kube/json-lines', () => {
  it('drops a line that the end cuts off', async () => {
    expect(await read('{"a":1}\n{"b":')).to.deep.equal([{ a: 1 }]);
  });

  it('throws on a line that is no JSON', async () => {
    const error = await read('oops\n').catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(SyntaxError);
  });

  it('property: however the bytes are cut, the values are the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue()),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        async (values, sizes) => {
          const lines = values.map((value) => JSON.stringify(value));
          expect(await read(lines.map((line) => `${line}\n`).join(''), sizes)).to.deep.equal(
            lines.map((line) => JSON.parse(line)),
          );
        },
      ),
    );
  });
});

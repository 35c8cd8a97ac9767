import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Journal, readJournal } from '../../../hack/load/journal.ts';

describe('hack/load/journal', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'journal-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('goes on where an earlier process stopped, and leaves out a line that was cut', async () => {
    const path = join(folder, 'a.jsonl');
    for (const at of [1, 2]) {
      const journal = new Journal<{ at: number }>(path);
      journal.write({ at });
      journal.close();
    }
    appendFileSync(path, '{"at":');
    expect(await readJournal(path)).to.deep.equal([{ at: 1 }, { at: 2 }]);
  });

  it('is empty when nobody wrote it', async () => {
    expect(await readJournal(join(folder, 'none.jsonl'))).to.deep.equal([]);
  });
});

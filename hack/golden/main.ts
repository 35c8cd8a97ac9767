/** `npm run golden`: writes the sessions of test/golden/wire that are not there yet. What was once recorded is never touched. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOLDEN_FOLDER, hexLines } from '../../test/support/transcript.ts';
import { SCENES } from './scenes.ts';

for (const [name, record] of Object.entries(SCENES)) {
  const path = join(GOLDEN_FOLDER, `${name}.hex`);
  if (existsSync(path)) {
    process.stdout.write(`${name}: kept\n`);
    continue;
  }
  const recording = await record();
  writeFileSync(path, hexLines(recording.messages));
  writeFileSync(join(GOLDEN_FOLDER, `${name}.json`), `${JSON.stringify(recording.page(), null, 2)}\n`);
  process.stdout.write(`${name}: recorded\n`);
}

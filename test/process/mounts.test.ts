import { expect } from 'chai';
import { mounted } from '../../process/mounts.ts';

describe('process/mounts', () => {
  it('is the path itself in a container', () => {
    expect(mounted('/var/run/token', {})).to.equal('/var/run/token');
    expect(mounted('/var/run/token', { CLUSTERTUNNEL_ROOT: '' })).to.equal('/var/run/token');
  });

  it('is below the root that the lab names', () => {
    expect(mounted('/var/run/token', { CLUSTERTUNNEL_ROOT: '/lab/pod' })).to.equal('/lab/pod/var/run/token');
  });
});

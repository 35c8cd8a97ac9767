import { expect } from 'chai';
import type { ContainerStatus, Pod } from '../../../../hack/lab/api/pod.ts';
import { phaseOf, podStatus, showsAlready } from '../../../../hack/lab/node/pod-status.ts';
import { ended, pod, running, status, waiting } from './pod-fixture.ts';

describe('hack/lab/node/pod-status', () => {
  describe('phase', () => {
    const crashed = { lastState: ended(1) };
    const cases: [string, ContainerStatus[], ContainerStatus[], 'Always' | 'OnFailure' | 'Never', string][] = [
      ['Pending while nothing has run', [status('a', waiting)], [], 'Always', 'Pending'],
      ['Pending while an init container runs', [status('a', waiting)], [status('i', running)], 'Always', 'Pending'],
      [
        'Failed when an init container may not run again',
        [status('a', waiting)],
        [status('i', ended(1))],
        'Never',
        'Failed',
      ],
      ['Running once one container runs', [status('a', running), status('b', waiting)], [], 'Always', 'Running'],
      ['Running while a crashed container waits', [status('a', waiting, crashed)], [], 'Always', 'Running'],
      [
        'Running between two runs of a container that always restarts',
        [status('a', ended(0))],
        [],
        'Always',
        'Running',
      ],
      ['Succeeded when all ended well', [status('a', ended(0))], [status('i', ended(0))], 'Never', 'Succeeded'],
      ['Failed when one did not', [status('a', ended(0)), status('b', ended(2))], [], 'Never', 'Failed'],
      ['Running when one did not but may run again', [status('a', ended(2))], [], 'OnFailure', 'Running'],
    ];
    for (const [sentence, containers, initContainers, policy, expected] of cases) {
      it(sentence, () => expect(phaseOf(containers, initContainers, policy)).to.equal(expected));
    }
  });

  describe('conditions', () => {
    const conditionsOf = (of: Pod, containers: ContainerStatus[], now = '2026-02-02T00:00:00Z') =>
      podStatus({ pod: of, podIP: '', hostIP: '', startTime: '', initContainers: [], containers, now }).conditions;
    const find = (of: Pod, containers: ContainerStatus[], type: string) =>
      conditionsOf(of, containers).find((condition) => condition.type === type);

    it('Ready names the containers that are not', () => {
      const containers = [status('a', running, { ready: true }), status('b', running)];
      const ready = find(pod(), containers, 'Ready');
      expect(ready).to.include({ status: 'False', reason: 'ContainersNotReady' });
      expect(ready?.message).to.equal('containers with unready status: [b]');
    });

    it('Ready waits for readiness gates', () => {
      const gated = pod({ readinessGates: [{ conditionType: 'example.com/gate' }] });
      const containers = [status('a', running, { ready: true })];
      expect(find(gated, containers, 'ContainersReady')).to.include({ status: 'True' });
      expect(find(gated, containers, 'Ready')).to.include({ status: 'False', reason: 'ReadinessGatesNotReady' });
    });

    it('keep their time until their status changes', () => {
      const then = '2026-01-01T00:00:00Z';
      const known = pod({}, { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: then }] });
      expect(find(known, [status('a', running)], 'Ready')?.lastTransitionTime).to.equal(then);
      expect(find(known, [status('a', running, { ready: true })], 'Ready')?.lastTransitionTime).not.to.equal(then);
    });
  });

  describe('what the API server shows already', () => {
    it('may hold more than is wanted, and conditions in any order', () => {
      const shown = {
        phase: 'Running',
        qosClass: 'Burstable',
        conditions: [
          { type: 'B', status: 'True' },
          { type: 'A', status: 'True' },
        ],
      };
      expect(
        showsAlready(shown, { phase: 'Running', conditions: [{ type: 'A', status: 'True', reason: null }] }),
      ).to.equal(true);
    });

    it('is not enough when a container has left its state', () => {
      const shown = { state: { running: { startedAt: 'x' } } };
      expect(showsAlready(shown, { state: { waiting: { reason: 'x' } } })).to.equal(false);
      expect(showsAlready({ state: { ...shown.state, waiting: { reason: 'x' } } }, shown)).to.equal(false);
    });

    it('is nothing before the first status', () => {
      expect(showsAlready(undefined, { phase: 'Pending' })).to.equal(false);
    });
  });
});

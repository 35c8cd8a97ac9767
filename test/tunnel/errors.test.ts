import { expect } from 'chai';
import { ProtocolError, StreamError } from '../../tunnel/errors.ts';
import { ErrorCode } from '../../tunnel/wire/codes.ts';

describe('tunnel/errors', () => {
  it('names its code in front of what happened', () => {
    const cause = new Error('why');
    const error = new ProtocolError('received 101 bytes, allowed 100', ErrorCode.FlowControl, { cause });
    expect(error.message).to.equal('FLOW_CONTROL: received 101 bytes, allowed 100');
    expect([error.name, error.code, error.cause]).to.deep.equal(['ProtocolError', ErrorCode.FlowControl, cause]);
    expect(new ProtocolError('x').code).to.equal(ErrorCode.Protocol);
  });

  it('keeps the facts of a stream, with or without a detail', () => {
    const facts = { streamId: 7, code: 99, origin: 'remote', execution: 'unknown', detail: '' } as const;
    expect(new StreamError(facts)).to.include({ ...facts, message: 'CODE_99', name: 'StreamError' });
    expect(new StreamError({ ...facts, detail: 'why' }).message).to.equal('CODE_99: why');
  });
});

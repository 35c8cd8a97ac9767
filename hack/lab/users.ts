import { randomBytes } from 'node:crypto';

/** The people of the hub: in its static token file, and nowhere else. */
export const USER_NAMES = ['lab-admin', 'alice', 'bob'] as const;
export type UserName = (typeof USER_NAMES)[number];

export interface LabUser {
  readonly name: UserName;
  readonly token: string;
  readonly groups: readonly string[];
}

const GROUPS: Readonly<Record<UserName, readonly string[]>> = {
  'lab-admin': ['lab:admins'],
  alice: ['lab:developers'],
  bob: [],
};

export type LabUsers = Readonly<Record<UserName, LabUser>>;

/** The same people with fresh tokens. */
export function createUsers(): LabUsers {
  const users = USER_NAMES.map((name) => [
    name,
    { name, token: randomBytes(24).toString('hex'), groups: GROUPS[name] },
  ]);
  return Object.fromEntries(users) as LabUsers;
}

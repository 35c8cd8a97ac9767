import type { Scenario } from '../scenario.ts';
export const isolation: Scenario = { name: 'isolation', run: async () => ({ goals: [], rows: [] }) };

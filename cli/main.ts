#!/usr/bin/env node
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { VERSION } from '../process/version.ts';
import { agentCommand } from './agent.ts';
import { credentialCommand } from './credential.ts';
import { kubeconfigCommand } from './kubeconfig.ts';
import { manifestCommand } from './manifest.ts';
import { operatorCommand } from './operator.ts';
import { failed } from './output.ts';

/** One program: `operator` and `agent` are what the image runs, the rest is for people. */
await yargs(hideBin(process.argv))
  .scriptName('clustertunnel')
  .usage('$0 <command>\n\nMakes Kubernetes clusters behind NAT reachable through one gateway.')
  .command(operatorCommand)
  .command(agentCommand)
  .command(manifestCommand)
  .command(kubeconfigCommand)
  .command(credentialCommand)
  .demandCommand(1, 'Name a command: clustertunnel --help lists them.')
  .strict()
  .version(VERSION)
  .help()
  .wrap(Math.min(120, yargs().terminalWidth()))
  .fail((message, error) => {
    failed(message ?? error);
  })
  .parseAsync();

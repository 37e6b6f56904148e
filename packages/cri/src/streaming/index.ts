export type { CommandOptions } from './spdy-session.ts';
export { type Upgrade, UpgradeError, upgradeToAttach, upgradeToExec, upgradeToPortForward } from './upgrades.ts';
export { isWebSocketRequest } from './websocket.ts';

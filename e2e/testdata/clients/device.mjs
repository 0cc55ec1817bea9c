// Signs a device in by the TypeScript client, as it is published: prints the code that a person must enter, then the key.

import { startDeviceFlow, pollForToken } from '@openhands/typescript-client/client/device-flow-client';

const { PRODUCT_URL: host } = process.env;
const grant = await startDeviceFlow(host);
console.log(`code\t${grant.user_code}`);
console.log(`page\t${grant.verification_uri}`);
const { access_token } = await pollForToken(host, grant.device_code, { interval: 1, timeout: 60000 });
console.log(`key\t${access_token}`);
process.exit(0);

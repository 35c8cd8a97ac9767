// A stand-in for an image: says at $POD_IP:8080 whatever path it is asked for, one line each; /end ends it well.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  process.stdout.write(`asked for ${request.url}\n`, () => {
    response.end('said\n', () => {
      if (request.url === '/end') process.exit(0);
    });
  });
});
server.listen(8080, process.env.POD_IP, () => process.stdout.write('listening\n'));
process.on('SIGTERM', () => process.exit(0));

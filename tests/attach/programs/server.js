// An HTTP server that asks itself. Any error ends it with 1.
const http = require('http');
const agent = new http.Agent({ keepAlive: true });
const server = http.createServer((request, response) => {
  const rows = Array.from({ length: +request.url.slice(1) }, (_, i) => ({ i, t: 'n'.repeat(i % 50) }));
  response.end(JSON.stringify(rows));
}).listen(0, '127.0.0.1', () => {
  let n = 0;
  const ask = () => {
    const wanted = ++n % 300;
    http.get({ host: '127.0.0.1', port: server.address().port, path: '/' + wanted, agent }, (response) => {
      let text = '';
      response.on('data', (data) => { text += data; });
      response.on('end', () => {
        if (JSON.parse(text).length !== wanted) throw new Error('wrong answer');
        ask();
      });
    });
  };
  for (let i = 0; i < 4; i++) ask();
  console.log('ready');
});

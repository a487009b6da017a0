const listener = (request, response) => response.end('{"hello":"world"}');

export const makeApp = () => listener;

"""What baseplate.py runs: gevent, a greenlet per connection, THeader, the C codecs. Needs python3-thrift and python3-gevent."""
import sys

import gevent.monkey

gevent.monkey.patch_all()

sys.path.insert(0, sys.argv[2])
from bench import Bench
from gevent.server import StreamServer
from thrift.protocol.THeaderProtocol import THeaderProtocolFactory
from thrift.transport.THeaderTransport import THeaderClientType
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransportFactory, TTransportException


class Handler:
    def ping(self):
        pass

    def echo(self, p):
        return p


processor = Bench.Processor(Handler())
protocols = THeaderProtocolFactory(
    allowed_client_types=[THeaderClientType.HEADERS, THeaderClientType.FRAMED_BINARY, THeaderClientType.UNFRAMED_BINARY]
)


def serve(connection, _address):
    socket = TSocket()
    socket.setHandle(connection)
    transport = TBufferedTransportFactory().getTransport(socket)
    protocol = protocols.getProtocol(transport)
    try:
        while True:
            processor.process(protocol, protocol)
    except (TTransportException, OSError):
        pass
    transport.close()


StreamServer(("127.0.0.1", int(sys.argv[1])), serve).serve_forever()

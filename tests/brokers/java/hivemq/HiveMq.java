import com.hivemq.embedded.EmbeddedHiveMQ;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import sun.misc.Signal;

/** HiveMQ Community Edition: HiveMq DIRECTORY, with config/config.xml in it. Prints "ready"; SIGTERM stops it in order. */
class HiveMq {
  public static void main(String[] arguments) throws Exception {
    Path at = Path.of(arguments[0]);
    EmbeddedHiveMQ broker =
        EmbeddedHiveMQ.builder()
            .withConfigurationFolder(at.resolve("config"))
            .withDataFolder(at.resolve("data"))
            .withExtensionsFolder(at.resolve("extensions"))
            .build();
    broker.start().join();
    // Why no shutdown hook: the broker's own end waits for the runtime's, which waits for the hook.
    CountDownLatch asked = new CountDownLatch(1);
    Signal.handle(new Signal("TERM"), signal -> asked.countDown());
    System.out.println("ready");
    System.out.flush();
    asked.await();
    broker.stop().join();
    Runtime.getRuntime().halt(0);
  }
}

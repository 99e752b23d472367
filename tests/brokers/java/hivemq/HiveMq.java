import com.hivemq.embedded.EmbeddedHiveMQ;
import java.nio.file.Path;

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
    Runtime.getRuntime().addShutdownHook(new Thread(() -> broker.stop().join()));
    System.out.println("ready");
    System.out.flush();
    Thread.currentThread().join();
  }
}

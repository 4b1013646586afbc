// Threads that compress what they check: java.util.zip allocates natively. Any error ends it with 1.
import java.util.Arrays;
import java.util.zip.*;

public class Work {
  static void work(int seed) throws Exception {
    byte[] data = new byte[20000];
    for (int round = 0; ; round++) {
      for (int i = 0; i < data.length; i++) data[i] = (byte) ((i * seed + round) % 97);
      Deflater deflater = new Deflater();
      deflater.setInput(data);
      deflater.finish();
      byte[] packed = new byte[data.length * 2];
      int length = deflater.deflate(packed);
      deflater.end();
      Inflater inflater = new Inflater();
      inflater.setInput(packed, 0, length);
      byte[] unpacked = new byte[data.length];
      inflater.inflate(unpacked);
      inflater.end();
      if (!Arrays.equals(data, unpacked)) throw new Exception("data has changed");
    }
  }

  public static void main(String[] arguments) {
    for (int i = 1; i <= 2; i++) {
      final int seed = i;
      new Thread(() -> {
        try {
          work(seed);
        } catch (Throwable error) {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
        }
      }).start();
    }
    System.out.println("ready");
  }
}

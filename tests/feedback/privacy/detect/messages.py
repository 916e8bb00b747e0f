"""Messages with what is personal in brackets, and harmless ones that look alike."""

from __future__ import annotations

import re

MARK = re.compile(r"\[\[(.*?)\]\]")
PERSONAL = """
我的卡号是[[6222 0212 3456 7890 123]]
卡号[[6217 0001 8000 1234 567]]，麻烦查一下
银行卡 [[6228480402564890018]] 退款
身份证[[110105 19491231 002X]]
身份证号：[[440304 1990 0101 1234]]
my number is [[415 555 2671]]
call me on [[4155552671]]
you can text me at [[(415) 555-2671]] anytime
[[+1 (415) 555-2671]] is my cell
My account number is [[12345678]]
账号：[[6217 0001 8000 1234 567]]
from IP [[203.0.113.45]]
登录IP是[[192.168.1.23]]
我的车牌是[[京A12345]]
车牌[[粤B·D12345]]，新能源
write to [[zhang.san at gmail dot com]]
email me: [[john (at) example (dot) com]]
邮箱 [[张三@例子.中国]]
邮箱是[[wang@公司.cn]]
my passphrase is [[correct horse battery staple]]
password: [[purple monkey dishwasher]]
密码是[[我爱北京天安门]]
密码：[[芝麻开门]]
手机号[[一三八一二三四五六七八]]
我的电话是[[幺三九零零一二三四五六七]]
my number is [[four one five five five five two six seven one]]
call me at [[four one five, five five five, two six seven one]]
我叫[[张伟]]，想查订单
我叫[[王小明]]
收货地址：[[浙江省杭州市西湖区文三路123号5幢602室]]
收货地址改成[[上海市浦东新区张江路88弄3号楼201]]，谢谢
My name is [[John Smith]] and I ordered
my name is [[jane doe]]
Ship it to [[742 Evergreen Terrace, Springfield, IL 62704]] please
my shipping address is [[221B Baker Street, London NW1 6XE]]
I live at [[1600 Pennsylvania Ave NW, Washington, DC 20500]].
收件人：[[李娜]] 电话：[[138 1234 5678]] 地址：[[北京市朝阳区建国路88号SOHO现代城B座1203]]
微信号：[[wxid_abc123]]
加我微信 [[zhangsan88]]
QQ：[[123456789]]
护照号[[E12345678]]
passport number [[GB1234567]]
CVV [[123]]
cvv是[[456]]，有效期[[08/27]]
IBAN [[DE89 3704 0044 0532 0130 00]]
MAC [[00:1A:2B:3C:4D:5E]]
IPv6 [[2001:db8:85a3::8a2e:370:7334]]
手机：[[１３８－１２３４－５６７８]]
座机[[０１０－６２３４５６７８]]
[[+86 138 1234 5678]]
[[0086-13812345678]]
WhatsApp [[+44 7911 123456]]
UK mobile [[07911 123456]]
my licence plate is [[7ABC123]]
driver's license [[D1234567]]
验证码[[四八二九一三]]
pin is [[four two seven one]]
联系我：[[13812345678]]（微信同号）
我的手机[[138-1234-5678]]
我手机尾号不是，完整的是[[13812345678]]
打我电话 [[62345678]]
电话[[0571-87654321转8001]]
[[john@例子.公司]]
邮箱 [[lisi艾特qq点com]]
send to [[bob_99 AT outlook DOT com]]
SSN [[123-45-6789]]
ssn is [[123 45 6789]]
I'm [[Maria Garcia]] calling about my refund
This is [[David]] speaking
姓名：[[欧阳娜娜]]
联系人[[赵敏]]
我是[[陈晓东]]，昨天下的单
支付密码：[[Abc@1234]]
口令是[[天王盖地虎]]
wifi密码是[[sunshine2024]]
my password is [[sunshine]]
寄到[[广东省深圳市南山区科技园南路2号]]
我住在[[成都市武侯区人民南路四段12号]]
deliver to [[500 Terry Francois Blvd, Apt 4B, San Francisco, CA 94158]]
Sort code [[20-00-00]] account [[55779911]]
开户账号：[[4367 4200 1234 5678 901]]
我的ip地址 [[10.23.45.67]]
account no. [[0012345678]]
write to [[bob.li @ example . com]]
邮箱写的是[[zhang.san#example.com]]
微信号[[62839471]]
Telegram: [[@anna_b]]
the router's MAC is [[00-1A-2B-3C-4D-5E]]
MAC [[001A.2B3C.4D5E]]
my date of birth is [[1990-01-02]]
"""
"""One message a line; what is to go stands in double brackets."""
HARMLESS = """
订单13812345678
订单13812345678什么时候发货
订单号：13812345678
总金额13812345678元
金额是13812345678
转账13812345678.00元成功
$13812345678 in revenue
预算 13,812,345,678 元
客服热线400-820-8820
请拨打客服电话 010-62345678
our hotline is 1-800-555-1234
call our customer service at (415) 555-2671
contact us at 415-555-2671
本店电话 0571-87654321
2024-05-01 13:00:00 下单
version 10.2.3.4
v1.2.3.4 released
ISBN 978-7-302-12345-6
SKU 1234567890123
12 345 678 910 views
3.14159265358979
13812345678 + 1 等于多少
计算 13812345678 × 2
What is 4155552671 divided by 3?
The password is incorrect
my password is not working
密码是多少
密码不对
密码是错误的
我叫了外卖
我叫车去机场
我叫不出名字
my name is misspelled on the order
the name is wrong
收货地址能改吗
收货地址写错了
can I change my shipping address?
ship to Canada
We ship to 50 countries
运单号SF1234567890123
快递单号 75312345678901
tracking number 9400111899223456789012
order 112-3456789-1234567
优惠码 SAVE20
room 1203, floor 12
10:00-12:00
between 2024-01-01 and 2024-12-31
127.0.0.1 is localhost
航班CA1234
型号 iPhone 15 Pro 256GB
the serial number is 1234567890123456
pH 7.35-7.45
call 911
12306客服
第三方支付密码是什么意思
我是新用户
I'm Feeling good
This is American Airlines
一二三四五六七
二〇二四年五月一日
one two three four five
three hundred and twenty five
一共13812345678积分
流水号20240115123456789
取件码 12-3-4567
兑换码 ABCD-1234-EFGH
2^31 = 2147483648
身份证怎么上传
电话打不通
我的电话坏了
微信支付100元
支付宝 wechat payment failed
邮箱收不到验证码
验证码60秒后过期
I bought it at amazon dot com
look at example.com
meet me at home
he is at work dot dot dot
京东A12345款
std::string::npos
12:34:56
the order total was 4155552671 yen
批次号 6222021234567890123
"""


def personal() -> list[str]:
    """The messages of `PERSONAL` without their brackets."""
    return MARK.sub(r"\1", PERSONAL).strip().splitlines()
